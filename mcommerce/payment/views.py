"""The way to the payment provider's page, the return from it, and the provider's webhooks.

Paying needs no permission: an order's id cannot be guessed, and paying for somebody else harms nobody.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from eventbus import clock
from mcommerce.features.links import address_of
from mcommerce.payment import limits
from mcommerce.payment.models import Payment
from mcommerce.payment.providers import NoSuchProvider, provider_named
from mcommerce.payment.providers.base import (
    BadSignature,
    ProviderBusy,
    ProviderDown,
    ProviderTimeout,
    ProviderUnreadable,
)
from mcommerce.payment.services import payments, webhook_refusals
from mcommerce.rate_limits.rate_limit import RateLimited
from mcommerce.rate_limits.visitor_identity import network_of_request

logger = logging.getLogger(__name__)

WEBHOOK_BYTES_MAX = 64 * 1024  # the providers' webhooks have a few kilobytes


@require_POST
@never_cache
def pay(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Send the shopper to the page where they pay, or say why that cannot be now."""
    try:
        limits.PAYS_PER_NETWORK.hit(network_of_request(request))
        limits.PAYS_PER_ORDER.hit(order_id)
    except RateLimited as limited:
        answer = _cannot_pay(request, order_id, status=429, reason="too_often")
        answer["Retry-After"] = str(limited.retry_after)
        return answer
    try:
        page = payments.start_attempt(
            order_id=order_id,
            language=get_language() or "en",
            now=clock.now(),
        )
    except payments.AlreadyPaid:
        return _to_order(order_id)
    except payments.NotYetOpen:
        return _cannot_pay(request, order_id, status=409, reason="not_yet")
    except payments.TooLate:
        return _cannot_pay(request, order_id, status=409, reason="closed")
    except payments.TriedTooOften:
        return _cannot_pay(request, order_id, status=409, reason="tried_out")
    except payments.Refused:
        return _cannot_pay(request, order_id, status=503, reason="refused")
    except payments.InDoubt:
        return _cannot_pay(request, order_id, status=409, reason="in_doubt")
    except (ProviderDown, ProviderTimeout) as error:
        logger.warning("No page to pay order %s: %s", order_id, error)
        return _cannot_pay(
            request, order_id, status=503, reason="busy" if isinstance(error, ProviderBusy) else "no_answer"
        )
    return redirect(page)


@require_GET
@never_cache
def come_back(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Query the provider for the outcome when a shopper returns from it, and show the order."""
    try:
        payment = _asked(payment_id)
    except Payment.DoesNotExist:
        raise Http404 from None
    if payment.status == Payment.Status.UNKNOWN:
        messages.info(
            request,
            # It stays on the page when the order below is paid: so it is in the past tense.
            _("The payment provider had not answered when you came back. We keep asking: see your order."),
        )
    return _to_order(payment.order_id)


def _asked(payment_id: UUID) -> Payment:
    """Return the payment as the provider sees it; above the rate limit, as we know it. Raises Payment.DoesNotExist."""
    try:
        limits.RETURNS_PER_PAYMENT.hit(payment_id)
    except RateLimited:
        return Payment.objects.get(id=payment_id)
    return payments.ask_now(payment_id=payment_id, now=clock.now())


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """Receive a webhook: 200 when recorded or known already, 400 when it is not from the provider."""
    now = clock.now()
    try:
        client = provider_named(provider)
    except NoSuchProvider:
        raise Http404 from None
    body = request.read(WEBHOOK_BYTES_MAX + 1)
    if len(body) > WEBHOOK_BYTES_MAX:
        return _refused(provider, "too large", body, status=413, now=now)
    try:
        told = client.parse_webhook(headers=request.headers, body=body, now=now)
    except BadSignature as error:
        return _refused(provider, str(error), body, status=400, now=now, is_signed=error.is_signed)
    except ProviderUnreadable as error:
        return _refused(provider, str(error), body, status=400, now=now, is_signed=True)
    webhook_refusals.note_accepted(provider=provider)
    try:
        if told is not None:
            payments.receive_webhook(provider=provider, webhook=told, now=now)
    except payments.UnknownSession:
        return HttpResponse(status=404)  # the provider retries later, when the session may be recorded
    return HttpResponse(status=200)


def _refused(
    provider: str, reason: str, body: bytes, *, status: int, now: datetime, is_signed: bool = False
) -> HttpResponse:
    logger.warning("Refused a webhook for %s: %s", provider, reason)
    webhook_refusals.note_refused(provider=provider, reason=reason, now=now, body=body, is_signed=is_signed)
    return HttpResponse(status=status)


def _to_order(order_id: UUID) -> HttpResponse:
    """Redirect to the order's page, or to the front page if this site has no orders."""
    return redirect(address_of("orders:order", order_id) or "/")


def _cannot_pay(request: HttpRequest, order_id: UUID, *, status: int, reason: str) -> HttpResponse:
    context = {
        "order_id": order_id,
        "reason": reason,
        "nothing_charged": payments.nothing_charged(order_id=order_id),
    }
    return render(request, "payment/cannot_pay.html", context, status=status)
