"""A dispatcher whose database or log was away for a moment: what it looks at before it goes on."""

import threading
from collections.abc import Iterator

import pytest
from django.db import OperationalError

from eventbus.database.leases import RELAY
from eventbus.errors import LogUnavailable
from eventbus.models import LeaseRow
from eventbus.processes.dispatcher import Dispatcher
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House
from tests.waiting import until

BEATS = 3  # fewer may come by chance


class World:
    """The database breaks at the next step, once; the log is away for as long as `log_unavailable` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.breaks, self.log_unavailable = threading.Event(), threading.Event()
        self.seen: list[str] = []
        begin, step, world = Relay.begin, Relay.step, self

        def noted_begin(relay: Relay) -> None:
            world.seen.append("begin")
            world._see_the_log()
            begin(relay)

        def noted_step(relay: Relay) -> int:
            if world.breaks.is_set():
                world.breaks.clear()
                world.seen.append("broken")
                raise OperationalError("server closed the connection unexpectedly")
            world.seen.append("step")
            world._see_the_log()
            return step(relay)

        monkeypatch.setattr(Relay, "begin", noted_begin)
        monkeypatch.setattr(Relay, "step", noted_step)

    def _see_the_log(self) -> None:
        if self.log_unavailable.is_set():
            raise LogUnavailable("no broker answers")


@pytest.fixture
def world(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Around a dispatcher that is at work."""
    found = World(monkeypatch)
    dispatcher = Dispatcher.start_in_process()
    until(dispatcher.active.is_set, "it dispatches")
    yield found
    found.log_unavailable.clear()
    dispatcher.close()


def beats() -> int:
    return LeaseRow.objects.get(name=RELAY).beat


def test_who_lost_the_database_looks_for_a_restore_before_it_goes_on(world: World) -> None:
    """It may be another one now: a database is restored while nobody is connected to it."""
    world.breaks.set()

    until(lambda: "step" in world.seen[world.seen.index("broken") :] if "broken" in world.seen else False, "it goes on")

    after = world.seen[world.seen.index("broken") + 1 :]
    assert after[0] == "begin"
    assert after.count("begin") == 1


def test_who_lost_the_log_alone_looks_for_nothing(world: World) -> None:
    before = world.seen.count("begin")
    world.log_unavailable.set()
    until(lambda: world.seen.count("step") > 0, "a step")
    count = world.seen.count("step")
    until(lambda: world.seen.count("step") > count + 1, "it is tried again")

    world.log_unavailable.clear()
    count = world.seen.count("step")
    until(lambda: world.seen.count("step") > count + 1, "it goes on")

    assert world.seen.count("begin") == before


def test_who_cannot_look_while_the_log_is_away_as_well_keeps_the_lease(world: World) -> None:
    """Else relays take it from one another for as long as no broker answers."""
    world.log_unavailable.set()
    world.breaks.set()
    until(lambda: "broken" in world.seen, "the database breaks")
    before = beats()

    until(lambda: beats() >= before + BEATS, "it beats on")

    assert world.seen[-1] == "begin", "it has not gone on without a look"
