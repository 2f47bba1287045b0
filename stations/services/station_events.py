"""The events of stations: of a change, and of every station's present state for modules that start late."""

from datetime import datetime
from typing import Any

from django.db import transaction

from eventbus import publish
from stations.events import Position, StationChanged
from stations.feeds.active_feeds import active_feeds
from stations.feeds.feed_interface import Change, Key, State
from stations.models import Station


def changed_event(change: Change, asked_at: datetime) -> StationChanged:
    """Return the event that reports a change."""
    state = change.state
    return StationChanged(
        feed=change.key.feed,
        station_id=change.key.station_id,
        version=change.version,
        kinds=change.kinds,
        polled_at=asked_at,
        reported_at=change.reported_at,
        seen_at=change.seen_at,
        taken=change.taken,
        returned=change.returned,
        taken_electrical=change.taken_electrical,
        returned_electrical=change.returned_electrical,
        **_in_words_of_jcdecaux(change),
        **{name: getattr(state, name) for name in State.__struct_fields__},
    )


def _in_words_of_jcdecaux(change: Change) -> dict[str, Any]:
    """Return the fields of `StationChanged` that repeat the state under the names of JCDecaux's API."""
    state, reported_at = change.state, change.reported_at
    return {
        "contract_name": state.contract,
        "position": Position(lat=state.lat, lng=state.lng),
        "bike_stands": state.capacity,
        "available_bike_stands": state.stands,
        "available_bikes": state.bikes,
        "last_update": None if reported_at is None else round(reported_at.timestamp() * 1000),
    }


def publish_all_again() -> int:
    """Publish the present state of each station that the site shows. Returns their number.

    The version stays as it is, so a reader that knows the station changes nothing. There are no kinds and no counts of
    bikes, because nothing happened.
    """
    shown = Station.objects.filter(active_feeds().condition(), gone=False)
    contracts = shown.order_by("feed", "contract").values_list("feed", "contract").distinct()
    return sum(_publish_contract(feed, contract) for feed, contract in list(contracts))


@transaction.atomic
def _publish_contract(feed: str, contract: str) -> int:
    """Publish one contract's stations. They are locked, so that no poll publishes a newer version before this one.

    Polls lock the stations of a contract in the same order, by id, so the two never deadlock.
    """
    rows = Station.objects.filter(feed=feed, contract=contract, gone=False).order_by("station_id").select_for_update()
    events = [_present(row) for row in rows]
    publish(*events)
    return len(events)


def _present(row: Station) -> StationChanged:
    state = State(**{name: getattr(row, name) for name in State.__struct_fields__})
    key = Key(row.feed, row.station_id)
    change = Change(
        key=key, version=row.version, kinds=(), state=state, reported_at=row.reported_at, seen_at=row.seen_at
    )
    return changed_event(change, row.polled_at)
