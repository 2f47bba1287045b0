"""The sums of a city's stations, which every change moves: the world has too many stations to count them again."""

from datetime import datetime

from stations.live.rows import Row
from stations.live.station_view import RowState, StationView

CITY_FIELDS = (
    "contract",
    "feed",
    "listed",
    "stations",
    "bikes",
    "electrical",
    "stands",
    "empty",
    "full",
    "changed_at",
    "lat",
    "lng",
    "west",
    "south",
    "east",
    "north",
)
# The states of open stations. All others are in no sum, for their figures help no rider.
COUNTED = frozenset({RowState.FRESH.value, RowState.STALE.value})
DEGREE_DIGITS = 4  # of a city's middle and edges: 11 metres

Figures = tuple[int, ...]


class CitySums:
    """The shown stations of a city, what they have together, and where they are."""

    def __init__(self, contract: str) -> None:
        self.contract = contract
        self.views: dict[str, StationView] = {}
        self._figures: Figures = (0,) * 6
        self._changed_at: datetime | None = None
        self._places: tuple[float, ...] = ()  # the middle and the edges; empty: not computed

    def put(self, key: str, view: StationView | None) -> None:
        """Replace a station; None removes it."""
        before = self.views.pop(key, None)
        if view:
            self.views[key] = view
            self._changed_at = max(self._changed_at or view.polled_at, view.polled_at)
        figures = zip(self._figures, _figures(view), _figures(before), strict=True)
        self._figures = tuple(held + new - old for held, new, old in figures)
        if _place(before) != _place(view):
            self._places = ()

    def row(self) -> Row | None:
        """Return the values in the order of CITY_FIELDS, or None if there is no station."""
        if not self.views:
            return None
        feed = next(iter(self.views.values())).feed
        self._places = self._places or self._computed()
        return (self.contract, feed, len(self.views), *self._figures, self._changed_at, *self._places)

    def _computed(self) -> tuple[float, ...]:
        lats = [view.lat for view in self.views.values()]
        lngs = [view.lng for view in self.views.values()]
        degrees = (sum(lats) / len(lats), sum(lngs) / len(lngs), min(lngs), min(lats), max(lngs), max(lats))
        return tuple(round(one, DEGREE_DIGITS) for one in degrees)


def _figures(view: StationView | None) -> Figures:
    """Return what a station adds: itself, bikes, electrical ones, stands; and whether it is empty or full."""
    if view is None or view.state not in COUNTED:
        return (0,) * 6
    return (1, view.bikes, view.electrical or 0, view.stands or 0, int(view.bikes == 0), int(view.stands == 0))


def _place(view: StationView | None) -> tuple[float, float] | None:
    return (view.lat, view.lng) if view else None
