"""The decisions of staff about single stations: to hold one apart, or to release it. They hold until the next one."""

from datetime import datetime

from django.db import transaction
from msgspec import structs

from eventbus import publish
from stations.events import Kind
from stations.feeds.feed_interface import Change, Key, State
from stations.feeds.quarantine import Hold
from stations.models import Station, StationRuling
from stations.services.recording import upsert_stations
from stations.services.station_events import changed_event


def rule(*, station: int, held: bool, by: str, now: datetime) -> bool:
    """Hold or release one station at once, and keep the decision for its next polls. Return False if it is so already.

    `station` is the primary key of its row. `by` is the id of the account.
    """
    with transaction.atomic():
        row = Station.objects.select_for_update().get(pk=station)
        decision = {"held": held, "by": by, "at": now}
        StationRuling.objects.update_or_create(feed=row.feed, station_id=row.station_id, defaults=decision)
        if bool(row.held) == held:
            return False
        change = _change(row, Hold.BY_HAND.value if held else "", Kind.HELD if held else Kind.RELEASED)
        upsert_stations([change], asked_at=row.polled_at, now=now)
        publish(changed_event(change, row.polled_at))
    return True


def _change(row: Station, reason: str, kind: Kind) -> Change:
    state = State(**{name: getattr(row, name) for name in State.__struct_fields__})
    return Change(
        key=Key(row.feed, row.station_id),
        version=row.version + 1,
        kinds=(kind,),
        state=structs.replace(state, held=reason),
        reported_at=row.reported_at,
        seen_at=row.seen_at,
    )
