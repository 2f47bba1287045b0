"""The places of pages, and the fragments that apps have registered for them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from eventbus import Event

# Each place with the fields of an event that name its page. Without fields, the page has no socket.
PLACES: dict[str, tuple[str, ...]] = {
    "product": (),
    "order": ("order_id",),
    "station": ("feed", "station_id"),
    "account": (),
    "desk": (),
}
QUERIES_MAX = 1  # of a fragment that declares nothing: one look at a table of its own app

Key = tuple[Any, ...]  # the ids that a page gives to its fragments: (order_id,), or (feed, station_id) of a station
Call = Callable[..., dict[str, Any] | None]


@dataclass(frozen=True)
class Fragment:
    """A function of an app that returns the context of its template, or None to show nothing.

    `queries` is the most that one drawing makes, template included. An event of `updates_on` has it drawn anew on each
    open page that the event concerns: `matches(event, *key)`, or the fields of the event that are named like the key.
    """

    place: str
    name: str
    call: Call
    template: str
    updates_on: tuple["type[Event]", ...] = ()
    matches: Callable[..., bool] | None = None
    queries: int = QUERIES_MAX

    def __post_init__(self) -> None:
        if self.place not in PLACES:
            raise ImproperlyConfigured(f"{self.name}: no page has a place {self.place!r}. Use one of {known_places()}")
        if self.updates_on and not PLACES[self.place]:
            live = ", ".join(place for place, fields in PLACES.items() if fields)
            raise ImproperlyConfigured(
                f"{self.name}: the page of {self.place!r} has no socket, so nothing there is drawn anew. "
                f"Leave updates_on out, or use one of {live}"
            )
        for event_type in self.updates_on if self.matches is None else ():
            if missing := [name for name in PLACES[self.place] if name not in event_type.__struct_fields__]:
                raise ImproperlyConfigured(
                    f"{self.name}: {event_type.__name__} has no field {' and '.join(missing)}, so it names no page of "
                    f"{self.place!r}. Give matches=, a function of the event and the page's id"
                )

    def key_of(self, event: Any) -> Key:
        """Return the key of the page that the event names by its fields."""
        return tuple(getattr(event, name) for name in PLACES[self.place])


_fragments: dict[str, list[Fragment]] = defaultdict(list)


def fragment(
    place: str,
    *,
    template: str,
    updates_on: "Sequence[type[Event]]" = (),
    matches: Callable[..., bool] | None = None,
    queries: int = QUERIES_MAX,
) -> Callable[[Call], Call]:
    """Register a function as a fragment of a place. `Fragment` documents the parameters.

    The page calls it with its ids and the request. Fragments of a place come in the order of INSTALLED_APPS.
    """

    def register(call: Call) -> Call:
        add(Fragment(place, _name_of(call), call, template, tuple(updates_on), matches, queries))
        return call

    return register


def add(one: Fragment) -> None:
    """Register a fragment. Raises ImproperlyConfigured if another one has its name."""
    if any(one.name == other.name for found in _fragments.values() for other in found):
        raise ImproperlyConfigured(f"There are two fragments {one.name}: give one of the functions another name")
    _fragments[one.place].append(one)


def remove(one: Fragment) -> None:
    """Forget a fragment that a test has registered."""
    _fragments[one.place].remove(one)


def fragments_of(place: str) -> list[Fragment]:
    """Return the fragments of a place, in their order on the page."""
    return list(_fragments.get(place, ()))


def find(call: Call) -> Fragment:
    """Return the fragment that a function was registered as."""
    return next(one for found in _fragments.values() for one in found if one.call is call)


def live_fragments() -> list[Fragment]:
    """Return all fragments that are drawn anew after events."""
    return [one for found in _fragments.values() for one in found if one.updates_on]


def known_places() -> str:
    """Return the names of all places, for people."""
    return ", ".join(sorted(PLACES))


def _name_of(call: Call) -> str:
    """Return the app's name and the function's: `loyalty.order_points` for the one in mcommerce/loyalty/slots.py."""
    app = call.__module__.removesuffix(".slots").rpartition(".")[2]
    return f"{app}.{call.__name__}"
