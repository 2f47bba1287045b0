"""The figures on the pages: stations, bikes and free stands of each city, and one station's last hours."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Coalesce

from stations.feeds.active_feeds import active_feeds
from stations.feeds.cities import BY_NAME
from stations.feeds.registry import is_recorded, is_simulated
from stations.models import Station, StationHistory

CHART_HOURS = 12  # drawn on a station's page: a morning and its evening
CHART_POINTS_MAX = 1_000  # changes drawn; a busy station has some 300 in these hours
CHART_WIDTH, CHART_HEIGHT = 720, 160  # the SVG's own units

OPEN = Q(bad="", held="", status="OPEN", gone=False)  # all others are in no total: their figures help no rider


class City(NamedTuple):
    """A contract's display name and its figures. Shares are of its open stations, None if there are none."""

    contract: str
    name: str
    service: str  # "Vélo'v"; "" when unknown
    zone: str  # IANA time zone
    stations: int
    bikes: int
    stands: int
    empty: int
    full: int
    open: int
    changed_at: datetime | None
    simulated: bool = False
    recorded: bool = False

    @property
    def empty_share(self) -> float | None:
        return 100 * self.empty / self.open if self.open else None

    @property
    def full_share(self) -> float | None:
        return 100 * self.full / self.open if self.open else None


def cities() -> list[City]:
    """Return every contract of the shown feeds with at least one station that is not gone, by the city's name."""
    return sorted(_counted(active_feeds().condition()), key=lambda city: city.name)


def city(contract: str) -> City | None:
    """Return one of these, from its own rows alone; None if it has no station."""
    return next(iter(_counted(active_feeds().condition_of(contract))), None)


def _counted(shown: Q) -> list[City]:
    counted = (
        Station.objects.filter(shown, gone=False, held="")
        .values("contract")
        .annotate(
            stations=Count("id", filter=OPEN),
            open=Count("id", filter=OPEN),
            empty=Count("id", filter=OPEN & Q(bikes=0)),
            full=Count("id", filter=OPEN & Q(stands=0)),
            # after the filters, which refer to the columns of these names
            bikes=Coalesce(Sum("bikes", filter=OPEN), 0),
            stands=Coalesce(Sum("stands", filter=OPEN), 0),
            changed_at=Max("polled_at"),
        )
    )
    return [City(**_named(row["contract"]), **row) for row in counted]


def total(counted: Iterable[City]) -> City:
    """Return all cities summed up as one."""
    counted = list(counted)
    changed = [city.changed_at for city in counted if city.changed_at]
    sums: dict[str, Any] = {
        name: sum(getattr(city, name) for city in counted)
        for name in ("stations", "bikes", "stands", "empty", "full", "open")
    }
    return City(contract="", name="", service="", zone="UTC", changed_at=max(changed, default=None), **sums)


def city_name(contract: str) -> str:
    return BY_NAME[contract].city if contract in BY_NAME else contract.capitalize()


def city_zone(contract: str) -> str:
    return BY_NAME[contract].zone if contract in BY_NAME else "UTC"


class Chart(NamedTuple):
    """A station's bikes over the last hours, as an SVG path in CHART_WIDTH x CHART_HEIGHT; `ticks` are whole hours."""

    line: str
    area: str
    top: int
    ticks: list[tuple[float, datetime]]
    lowest: int
    highest: int
    begins: datetime | None  # set if less than the whole time is known


def chart(station: Station, *, now: datetime) -> Chart | None:
    """Return the chart of a station's last hours, or None if only its present is known."""
    since = now - timedelta(hours=CHART_HOURS)
    history = StationHistory.objects.filter(feed=station.feed, station_id=station.station_id).order_by("-version")
    recent = list(history.filter(at__gte=since).values_list("at", "bikes")[:CHART_POINTS_MAX])[::-1]
    if not recent:
        return None
    before = history.filter(at__lt=since).values_list("bikes", flat=True).first()
    points = [(since, before)] if before is not None else []
    drawn = _drawn([*points, *recent, (now, recent[-1][1])], since, now, station.capacity)
    return drawn._replace(begins=None if points else recent[0][0])


def _drawn(points: list[tuple[datetime, int]], since: datetime, now: datetime, capacity: int) -> Chart:
    counts = [bikes for _, bikes in points]
    top = max(capacity, *counts, 1)

    def x(at: datetime) -> float:
        return round(CHART_WIDTH * (at - since) / (now - since), 1)

    steps = [f"M{x(points[0][0])} {_y(counts[0], top)}"]
    steps += [f"H{x(at)}V{_y(bikes, top)}" for at, bikes in points[1:]]
    line = "".join(steps)
    area = f"{line}V{CHART_HEIGHT}H{x(points[0][0])}Z"
    first = since.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    ticks = [(x(first + timedelta(hours=n)), first + timedelta(hours=n)) for n in range(0, CHART_HOURS, 3)]
    return Chart(line, area, top, ticks, min(counts), max(counts), None)


def _y(bikes: int, top: int) -> float:
    return round(CHART_HEIGHT * (1 - bikes / top), 1)


def _named(contract: str) -> dict[str, Any]:
    service = BY_NAME[contract].commercial_name if contract in BY_NAME else ""
    feed = active_feeds().feed_of(contract)
    simulated = feed is not None and is_simulated(feed.name)
    recorded = feed is not None and is_recorded(feed.name)
    zone = city_zone(contract)
    return {"name": city_name(contract), "service": service, "zone": zone, "simulated": simulated, "recorded": recorded}
