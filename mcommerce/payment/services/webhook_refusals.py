"""Count the webhooks that were refused, until one of the same provider is accepted. The operator's overview names them.

Anybody can post to the address of the webhooks, and nobody outside may raise an operator's alarm. So a refusal counts
only if the provider signed it, or if it names one of our sessions, whose ids nobody can guess. A shopper knows those of
their own orders, so the first refusals are not told. A provider has one row, whatever comes, and few posts write to it.
"""

import logging
import re
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import F
from django.utils.translation import gettext as _

from eventbus import clock
from eventbus.database.storable_text import TIME
from eventbus.operations.problem import Problem
from mcommerce.payment.models import Attempt, RefusedWebhooks

logger = logging.getLogger(__name__)

COUNTED_MAX = 1_000  # refusals that are counted one by one: strangers may send any number, and each count is a write
TOLD_FROM = 3  # refusals: a provider sends a refused webhook again after one and two seconds
IDS_MAX = 10  # ids in a body that are looked up: a webhook has two or three
WRITE_AGAIN_AFTER = timedelta(seconds=5)  # between two writes beyond that: the time of the newest is that old at most
# Without another refusal for so long the fault is over. Providers try again at least once an hour, strangers do not.
OVER_AFTER = timedelta(minutes=90)


def note_refused(*, provider: str, reason: str, now: datetime, body: bytes = b"", is_signed: bool = False) -> None:
    """Count a refused webhook of a known provider, if it can be the provider's.

    `reason`: a text of ours, without anything that the sender wrote. `is_signed`: its signature is the provider's.
    """
    try:
        if is_signed or _names_our_session(provider, body):
            _count(provider, reason, now)
    except DatabaseError as error:  # the sender is refused all the same
        logger.warning("A refused webhook for %s was not counted: %s", provider, error)


def _names_our_session(provider: str, body: bytes) -> bool:
    """Return True if the body has the id of a session, also in a body that was cut or has another format."""
    ids = [found.decode() for found in re.findall(rb'"id"\s*:\s*"([A-Za-z0-9_-]{1,100})"', body)[:IDS_MAX]]
    return bool(ids) and Attempt.objects.filter(provider=provider, provider_ref__in=ids).exists()


def _count(provider: str, reason: str, now: datetime) -> None:
    begun = {"first_at": now, "last_at": now, "reason": reason[: RefusedWebhooks.REASON_CHARACTERS_MAX]}
    row, is_new = RefusedWebhooks.objects.get_or_create(provider=provider, defaults=begun)
    if is_new:
        return
    same = RefusedWebhooks.objects.filter(pk=row.pk)
    if now - row.last_at > OVER_AFTER:
        same.update(**begun, count=1)
    elif row.count < COUNTED_MAX:
        same.update(count=F("count") + 1, last_at=now, reason=begun["reason"])
    elif now - row.last_at >= WRITE_AGAIN_AFTER:
        same.update(last_at=now, reason=begun["reason"])


def note_accepted(*, provider: str) -> None:
    """End the fault of a provider: one of its webhooks has a valid signature, so the secret and the clocks agree."""
    if RefusedWebhooks.objects.filter(provider=provider).exists():  # nearly never: a webhook costs no further write
        RefusedWebhooks.objects.filter(provider=provider).delete()


def problems() -> list[Problem]:
    """Return a problem for each provider whose newest webhooks were refused."""
    lately = RefusedWebhooks.objects.filter(last_at__gte=clock.now() - OVER_AFTER, count__gte=TOLD_FROM)
    return [
        Problem(
            _sentence(one),
            kind="webhook",
            about=one.provider,
            since=one.first_at,
            heading=_("Webhooks of %(name)s are refused") % {"name": one.provider},
            page="admin:payment_refusedwebhooks_changelist",
        )
        for one in lately.order_by("provider")
    ]


def _sentence(one: RefusedWebhooks) -> str:
    count = f"{one.count} or more" if one.count >= COUNTED_MAX else f"{one.count}"
    minutes = OVER_AFTER.total_seconds() / 60
    return (
        f"Refused since the last one that was accepted: {count}, the newest at {one.last_at:{TIME}} ({one.reason}). "
        "Compare SANDBOX_WEBHOOK_SECRET and the clocks of both sides. Each was signed by the provider, or names a "
        "payment of this shop. If the provider's own log names no failed webhook, a shopper has sent these about their "
        "own payment, and nothing is lost. Over with the next webhook that is accepted, or "
        f"{minutes:.0f} minutes after the last refusal."
    )
