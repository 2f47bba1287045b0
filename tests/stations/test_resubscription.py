"""A browser that follows other cities while frames are on their way counts each trip once, and misses none."""

from collections import Counter, deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations.live.live_state import LiveState, encode
from stations.live.station_view import Change
from stations.sockets.protocol import read
from stations.sockets.subscription import Subscription
from tests.stations.live_copy import WORLD, LiveCopy, decoded
from tests.stations.socket_client import NOON
from tests.stations.test_live_state import view

STATIONS = 3
REQUEST = {"type": "subscribe", "contracts": "*"}
WISHES = (["lyon"], ["lyon", "nantes"], ["lyon", "nowhere"], "*")

steps = st.one_of(
    st.tuples(st.just("trip"), st.integers(0, STATIONS - 1)),
    st.tuples(st.just("sum_up"), st.just(0)),
    st.tuples(st.just("tick"), st.just(0)),
    st.tuples(st.just("arrive"), st.integers(1, 3)),
    st.tuples(st.just("subscribe"), st.integers(0, len(WISHES) - 1)),
)


class Page:
    """A page on a socket that loses nothing, but takes its time: frames and requests wait on their way."""

    def __init__(self, state: LiveState) -> None:
        self.state, self.copy = state, LiveCopy()
        self.trips: Counter[str] = Counter()
        self.subscription: Subscription | None = None
        self.on_their_way: deque[dict[str, Any]] = deque()

    def subscribe(self, contracts: Any) -> None:
        """Ask anew with what is held at this moment; the answer comes after the frames on their way."""
        if self.copy.seqs:
            self.copy.follow(self.state.contracts if contracts == "*" else contracts)
        wish = {"type": "subscribe", "contracts": contracts, "world": True, "since": self.copy.since}
        self.subscription = Subscription(read(encode(wish)), self.subscription)

    def tick(self) -> None:
        if self.subscription:
            self.on_their_way += map(decoded, self.subscription.due(self.state))

    def arrive(self, frames: int) -> None:
        for _ in range(min(frames, len(self.on_their_way))):
            self.take(self.on_their_way.popleft())

    def take(self, frame: dict[str, Any]) -> None:
        held = self.copy.seqs.get(frame.get("contract", ""))
        if frame["type"] != "delta" or held is None or frame["seq"] <= held:
            self.copy.take(frame) if frame["type"] == "snapshot" else None
            return
        changed, _ = self.copy.happened(frame)
        if frame["contract"] == "lyon":
            for change in changed:
                self.trips[change["id"]] += change["taken"]


@settings(max_examples=300, deadline=None)
@given(story=st.lists(steps, max_size=40))
def test_every_trip_is_counted_once(story: list[tuple[str, int]]) -> None:
    state = LiveState([view(number, city, bikes=100) for number in range(STATIONS) for city in ("lyon", "nantes")])
    page, trips, bikes = Page(state), Counter[str](), [100] * STATIONS
    page.subscribe(["lyon"])
    page.tick()
    page.arrive(9)
    for kind, number in story:
        match kind:
            case "trip":
                bikes[number] -= 1
                row = view(number, bikes=bikes[number])
                trips[row.id] += 1
                state.apply([Change(row, ("taken",), taken=1)], at=NOON)
            case "sum_up":
                state.sum_up(at=NOON)
            case "tick":
                page.tick()
            case "arrive":
                page.arrive(number)
            case "subscribe":
                page.subscribe(WISHES[number])

    state.sum_up(at=NOON)
    page.tick()
    page.arrive(len(page.on_their_way))
    assert page.trips == trips
    lyon = {name: row for name, row in page.copy.stations.items() if row["station_id"].startswith("lyon")}
    assert [row["bikes"] for _, row in sorted(lyon.items())] == bikes
    assert page.copy.cities.keys() == {"lyon", "nantes"} and WORLD in page.copy.seqs


def test_a_city_that_appears_is_told_to_those_who_waited_for_it() -> None:
    state, copy = LiveState([view(1)]), LiveCopy()
    subscription = Subscription(read(encode({"type": "subscribe", "contracts": ["nantes"]})))
    for message in subscription.due(state):
        copy.take(decoded(message))

    state.apply([Change(view(1, "nantes", bikes=4))], at=NOON)
    [delta] = subscription.due(state)

    assert copy.take(decoded(delta))
    assert [row["bikes"] for row in copy.stations.values()] == [4]


def test_who_was_away_for_long_gets_snapshots_which_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stations.sockets.subscription.RESUMED_CHANGES_MAX", 5)
    state = LiveState([view(number, city) for number in range(3) for city in ("lyon", "nantes", "nancy")])
    for city, bikes in (("lyon", 1), ("lyon", 2), ("nantes", 1)):
        state.apply([Change(view(number, city, bikes=bikes)) for number in range(3)], at=NOON)
    since = {"epoch": state.epoch, "seqs": {"lyon": 0, "nantes": 0, "nancy": 0}}

    told = [decoded(one) for one in Subscription(read(encode(REQUEST | {"since": since}))).due(state)]

    assert {(frame["type"], frame.get("contract")) for frame in told} == {
        ("snapshot", "lyon"),
        ("delta", "nantes"),
        ("subscribed", None),
    }
