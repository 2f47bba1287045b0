"""Keep which way of the notices fails, so that the overview of every process names it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext as _

from eventbus import clock
from eventbus.database.storable_text import TIME, printable
from eventbus.operations.problem import Problem
from mcommerce.notices.models import ERROR_CHARACTERS_MAX, FailingWay

# A notice that is due is tried at least every 35 seconds. Without a try for so long none is due any more.
TRIED_WITHIN = timedelta(minutes=1)
REMEDY = {
    "mail": "Check EMAIL_URL, EVENTBUS_NOTIFY_MAIL and the log of the mail server.",
    "webhook": "Check EVENTBUS_NOTIFY_WEBHOOK, EVENTBUS_NOTIFY_SECRET and the log of the receiver.",
}


def note(outcomes: Mapping[str, str], now: datetime) -> None:
    """Store the outcome of the last tries: by way, the error, or "" for a success. Raises DatabaseError."""
    for way, error in outcomes.items():
        row = FailingWay.objects.filter(way=way)
        if not error:
            row.delete()
            continue
        text = printable(error)[:ERROR_CHARACTERS_MAX]
        row.filter(tried_at__lt=now - TRIED_WITHIN).delete()  # of an earlier failure
        if not row.update(tried_at=now, tries=F("tries") + 1, error=text):
            FailingWay.objects.create(way=way, since=now, tried_at=now, error=text)


def problems() -> list[Problem]:
    """Return a problem for each way by which a notice that is due does not leave."""
    named = {"mail": settings.EVENTBUS_NOTIFY_MAIL, "webhook": settings.EVENTBUS_NOTIFY_WEBHOOK}
    if not any(named.values()):
        return []
    failing = FailingWay.objects.filter(tried_at__gte=clock.now() - TRIED_WITHIN).order_by("way")
    return [
        Problem(
            f"Tries that failed in a row: {one.tries}, the last at {one.tried_at:{TIME}} ({one.error}). Notices stay "
            f"due, and are tried again within a minute. {REMEDY[one.way]}",
            kind="notices",
            about=one.way,
            since=one.since,
            heading=_("Notices cannot be sent by %(name)s") % {"name": one.way},
        )
        for one in failing
        if named.get(one.way)
    ]
