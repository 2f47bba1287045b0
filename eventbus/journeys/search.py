"""Find outbox rows by an event's id, a key, a correlation id or a trace id.

The outbox has no index for this: each index costs every publisher. An id of version 7 contains its time, and outbox ids
grow with time. So the search looks up by halving where the time begins, and reads only later rows.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Max, Min, Q, QuerySet

from eventbus import ids
from eventbus.models import OutboxRow, Timer

EVENTS_MAX = 500  # of one journey: the newest. A page with more is not read
# Ids are made before their event is published, and machines' clocks differ: by less than this.
EARLIER = timedelta(minutes=10)


def identity(text: str) -> UUID | None:
    """Return the id that a text is: a UUID, or the trace id of a `traceparent`. None for any other text."""
    text = text.strip()
    if text.startswith("00-") and text.count("-") == 3:
        text = text.split("-")[1]
    try:
        return UUID(text)
    except ValueError:
        return None


def events(keys: Iterable[str], correlations: Iterable[UUID] = ()) -> list[OutboxRow]:
    """Return the newest EVENTS_MAX events with one of these keys or correlation ids, in the order of their publishing.

    `keys` may be ids of any spelling: an event's own id finds it as well.
    """
    keys, correlations = set(keys), set(correlations)
    known = {key: identity(key) for key in keys}
    wanted = Q(key__in=[ids.text(one) if one else key for key, one in known.items()])
    for one in {*filter(None, known.values()), *correlations}:
        wanted |= Q(event_id=one) | of_request(one)
    times = [_made_at(one) if one else None for one in [*known.values(), *correlations]]
    rows = OutboxRow.objects.filter(wanted)
    begun = [at for at in times if at is not None]
    if begun and len(begun) == len(times):
        rows = rows.filter(id__gte=_first_since(min(begun) - EARLIER))
    return list(rows.order_by("-id")[:EVENTS_MAX])[::-1]


def of_request(one: UUID) -> Q:
    """Return the condition for events with this correlation id or trace id."""
    return Q(headers__contains=f'"correlationid":"{ids.text(one)}"') | Q(headers__contains=f'"traceparent":"00-{one.hex}-')


def timers(keys: Iterable[str], correlations: Iterable[UUID]) -> "QuerySet[Timer]":
    """Return the events with these keys or correlation ids that are to be published later, the next first."""
    wanted = Q(key__in=list(keys))
    for one in correlations:
        wanted |= of_request(one)
    return Timer.objects.filter(wanted).order_by("due")[:EVENTS_MAX]


def _made_at(one: UUID) -> datetime | None:
    """Return the time in an id of version 7; None for other versions."""
    return datetime.fromtimestamp((one.int >> 80) / 1000, UTC) if one.version == ids.VERSION else None


def _first_since(at: datetime) -> int:
    """Return an outbox id before which every row was published before this time."""
    ends = OutboxRow.objects.aggregate(first=Min("id"), last=Max("id"))
    low, high = ends["first"] or 0, (ends["last"] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        found = OutboxRow.objects.filter(id__gte=middle).order_by("id").values_list("created_at", flat=True).first()
        if found is not None and found < at:
            low = middle + 1
        else:
            high = middle
    return low
