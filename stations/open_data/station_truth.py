"""The words of GBFS for the state of one station. docs/reference/open-data.md has them as a table."""

from datetime import UTC, datetime
from typing import Any

from stations.feeds.validation import OPEN
from stations.models import Station

NEVER_REPORTED = datetime(1970, 1, 1, tzinfo=UTC)  # GBFS demands a time, and the source gives none
MECHANICAL, ELECTRICAL = "mechanical", "electrical"  # ids of vehicle types


def status_row(station: Station, *, with_kinds: bool) -> dict[str, Any]:
    """Return a station's row of station_status. `with_kinds`: the system lists its kinds of bikes."""
    is_open = station.status == OPEN
    row: dict[str, Any] = {
        "station_id": station.station_id,
        "num_vehicles_available": station.bikes,
        "is_installed": True,
        "is_renting": is_open,
        "is_returning": is_open,
        "last_reported": last_reported(station),
    }
    if with_kinds:
        row["vehicle_types_available"] = _kinds(station)
    if station.stands is not None:
        row["num_docks_available"] = station.stands
    return row


def last_reported(station: Station) -> datetime:
    """Return the station's own last report as far as it is known: that of its last recorded change.

    A station whose row is unreadable now is known only as of the last poll that could read it.
    """
    reported = station.reported_at or NEVER_REPORTED
    return min(reported, station.seen_at) if station.bad and station.seen_at else reported


def _kinds(station: Station) -> list[dict[str, Any]]:
    """Return the bikes by kind, or nothing if the source does not tell the kinds of this station apart."""
    counts = {MECHANICAL: station.mechanical, ELECTRICAL: station.electrical}
    if None in counts.values():
        return []
    return [{"vehicle_type_id": kind, "count": count} for kind, count in counts.items()]
