"""Whatever is cut, dropped or restarted on the way: every client ends equal to the server."""

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from stations.live.channel import Channel
from stations.live.live_state import LiveState, encode
from stations.live.station_view import Change, StationView
from stations.sockets.protocol import read
from stations.sockets.subscription import Subscription
from tests.stations.live_copy import WORLD, LiveCopy, decoded
from tests.stations.socket_client import NOON
from tests.stations.test_live_state import view

CITIES = ("lyon", "nantes")
ALL = "*"
CLIENTS = 2
ROUNDS_MAX = 5  # of frames that all arrive, until a client is equal: a tick, a request, its answer
KEPT = 3  # changes: so few that clients often fall behind

numbers, clients, cities = st.integers(0, 3), st.integers(0, CLIENTS - 1), st.sampled_from(CITIES)
named = st.tuples(st.booleans(), st.sets(cities)).filter(lambda wish: wish[0] or bool(wish[1]))
follows = named | st.just((True, ALL))
losses = st.lists(st.booleans(), max_size=6)  # of the next frames; those after them arrive
changes = st.tuples(st.integers(0, 5), st.integers(0, 20), st.integers(0, 4))  # a station, its bikes; 0: it is gone
steps = st.one_of(
    st.tuples(st.just("change"), cities, st.lists(changes, min_size=1, max_size=8)),
    st.tuples(st.just("move"), cities, numbers, cities),
    st.tuples(st.just("sum_up")),
    st.tuples(st.just("restart"), st.sets(cities, max_size=1)),
    st.tuples(st.just("send"), clients, losses),
    st.tuples(st.just("cut"), clients),
    st.tuples(st.just("follow"), clients, follows),
)


class Server:
    """A live state whose process may be started again, from the rows."""

    def __init__(self) -> None:
        self.rows: dict[str, StationView] = {}
        self.restart()

    def restart(self, without: Collection[str] = ()) -> None:
        """Start anew; the feed of some cities has been taken out meanwhile."""
        self.rows = {name: row for name, row in self.rows.items() if row.contract not in without}
        self.state = LiveState(self.rows.values())

    def put(self, row: StationView) -> None:
        self.rows[row.id] = row
        self.state.apply([Change(row, ("taken",), taken=1)], at=NOON)


class Client:
    """A client with its subscription in the server, which ends with each cut."""

    def __init__(self) -> None:
        self.copy, self.world = LiveCopy(), True
        self.contracts: set[str] | str = {"lyon"}
        self.cut()

    def cut(self) -> None:
        self.subscription: Subscription | None = None

    def follow(self, world: bool, contracts: set[str] | str) -> None:
        self.world, self.contracts = world, contracts
        self.copy.follow(CITIES if contracts == ALL else contracts)
        self.cut()

    def subscribe(self) -> None:
        contracts = ALL if self.contracts == ALL else sorted(self.contracts)
        wish: dict[str, Any] = {"contracts": contracts, "world": self.world, "since": self.copy.since}
        self.subscription = Subscription(read(encode({"type": "subscribe"} | wish)))

    def hear(self, server: Server, lost: list[bool]) -> None:
        """Take the frames that are due, but the lost ones; subscribe again where something is missing."""
        if self.subscription is None:
            self.subscribe()
        assert self.subscription
        for number, message in enumerate(self.subscription.due(server.state)):
            if not (number < len(lost) and lost[number]) and not self.copy.take(decoded(message)):
                self.cut()

    def hear_tick(self) -> None:
        if self.subscription and not self.copy.take({"type": "tick", "seqs": self.subscription.told}):
            self.cut()

    def holds(self, state: LiveState) -> bool:
        """Tell if it holds what somebody holds who comes now."""
        fresh = LiveCopy()
        followed = {*(state.contracts if self.contracts == ALL else self.contracts)}
        for name in [*followed, *([WORLD] if self.world else [])]:
            fresh.take(decoded(state.channel(name).snapshot()))
        others = {*fresh.cities, *self.copy.cities} - followed
        sums = [{name: one.cities.get(name) for name in others} for one in (self.copy, fresh)]
        return self.copy.stations == fresh.stations and sums[0] == sums[1]


def play(server: Server, clients: list[Client], step: tuple[Any, ...]) -> None:
    match step:
        case ("change", city, changed):
            for number, bikes, here in changed:
                server.put(view(number, city, bikes=bikes, gone=not here))
        case ("move", city, number, other):
            server.put(structs.replace(view(number, city), contract=other))
        case ("sum_up",):
            server.state.sum_up(at=NOON)
        case ("restart", without):
            server.restart(without)
            for client in clients:
                client.cut()
        case ("send", who, lost):
            clients[who].hear(server, lost)
        case ("cut", who):
            clients[who].cut()
        case ("follow", who, (world, contracts)):
            clients[who].follow(world, contracts)


@pytest.fixture(autouse=True)
def _few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Channel, "kept_max", KEPT)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(steps, max_size=40))
def test_every_client_ends_equal_to_the_server(story: list[tuple[Any, ...]]) -> None:
    server, clients = Server(), [Client() for _ in range(CLIENTS)]
    for step in story:
        play(server, clients, step)

    server.state.sum_up(at=NOON)
    for client in clients:
        for _round in range(ROUNDS_MAX):
            client.hear(server, [])
            client.hear_tick()
        assert client.holds(server.state)
