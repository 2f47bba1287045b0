"""Calls to the payment provider about an attempt. Never inside a transaction: each may take seconds."""

from django.urls import reverse

from eventbus import failpoints
from mcommerce.payment.models import Attempt, Payment
from mcommerce.payment.providers.base import (
    Declined,
    Provider,
    ProviderUnreadable,
    SessionRequest,
    SessionState,
    SessionStatus,
)


def open_session(attempt: Attempt, provider: Provider) -> SessionState:
    """Open the attempt's session at the provider. A repeat uses the same idempotency key, so it opens no second one.

    If the provider refuses, that is final: the returned state is EXPIRED. Raises ProviderDown, ProviderTimeout.
    """
    try:
        failpoints.hit("payment.open")
        state = provider.create_session(_request(attempt), idempotency_key=attempt.idempotency_key)
    except Declined as declined:
        return SessionState(
            ref="",
            status=SessionStatus.EXPIRED,
            revision=attempt.revision + 1,
            amount=attempt.payment.amount,
            currency=attempt.payment.currency,
            decline_code=declined.code,
        )
    failpoints.hit("payment.opened")
    if Attempt.objects.filter(provider=attempt.provider, provider_ref=state.ref).exclude(id=attempt.id).exists():
        raise ProviderUnreadable("a new session with the name of another one")
    return state


def current_state(attempt: Attempt, provider: Provider) -> SessionState:
    """Return the state of the attempt's session at the provider. Raises ProviderError.

    If the payment is cancelled, the session is expired first.
    """
    ref = attempt.provider_ref
    if not ref:
        opened = open_session(attempt, provider)
        if not opened.ref:
            return opened
        ref = opened.ref
    failpoints.hit("payment.ask")
    if attempt.payment.status == Payment.Status.CANCELLED:
        state = provider.expire_session(ref, idempotency_key=f"{attempt.idempotency_key}-expire")
    else:
        state = provider.fetch_session(ref)
    failpoints.hit("payment.asked")
    return state


def _request(attempt: Attempt) -> SessionRequest:
    """Build the request from the row alone, so that a repeat is identical."""
    payment = attempt.payment
    return SessionRequest(
        order_id=payment.order_id,
        amount=payment.amount,
        currency=payment.currency,
        return_url=attempt.site_url + reverse("payment:return", args=[payment.id]),
        webhook_url=attempt.site_url + reverse("payment:webhook", args=[attempt.provider]),
        expires_at=payment.expires_at,
        language=attempt.language,
    )
