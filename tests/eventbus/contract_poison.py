"""Promise 6, the other way round: what breaks the world for one event alone is that event's failure."""

from collections.abc import Callable
from functools import partial

import pytest
from django.db import InterfaceError

from eventbus import ServiceUnavailable, backends
from eventbus.backends.base import partition_of
from eventbus.models import ParkedKey
from eventbus.operations import status
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.database_obstacles import KILLED, refuse
from tests.waiting import until

OTHERS = [(f"chair {number}", 1) for number in range(20)]
NEIGHBOURS = 30  # names to look among for those that lie in the vase's partition
WAYS = {  # as PostgreSQL says it (SQLSTATE), and as SQLite does
    "a statement's timeout": ("57014", "SQLITE_IOERR"),
    "a backend that is killed": (KILLED, "SQLITE_CANTOPEN"),
    "a query without memory": ("53200", "SQLITE_FULL"),
    "a row that somebody holds": ("55P03", "SQLITE_BUSY"),
}


class Poison:
    """A handler for which the world ends with each event of some names, or of all, until it is mended."""

    def __init__(self, end_world: Callable[[], object], *names: str) -> None:
        self.end_world, self.names, self.tries = end_world, set(names or ("vase",)), 0

    def __call__(self, event: Noted, **named: str) -> None:
        if event.name in self.names or "all" in self.names:
            self.tries += 1
            self.end_world()


def fail(error: Exception) -> None:
    raise error


def beside_the_vase(count: int) -> list[str]:
    """Names that lie in the same partition."""
    partitions = len(backends.current().partitions([Noted.topic]))
    names = [f"shelf {number}" for number in range(NEIGHBOURS)]
    return [name for name in names if partition_of(name, partitions) == partition_of("vase", partitions)][:count]


@pytest.mark.django_db(transaction=True)
class PoisonThatLooksLikeTheWorld:
    """Promise 6."""

    @pytest.fixture(autouse=True)
    def _hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker that waits long for nothing."""
        monkeypatch.setattr("eventbus.consuming.worker.OUTAGE_PAUSE_SECONDS", (0.01, 0.02))
        monkeypatch.setattr("eventbus.consuming.worker.CONTENTION_SECONDS", 0.05)

    @pytest.mark.parametrize("how", WAYS)
    def test_what_breaks_the_world_for_one_event_alone_parks_its_key(self, house: House, how: str) -> None:
        house.handler(call=Poison(partial(refuse, *WAYS[how])), attempts=1)
        house.say(("vase", 1), ("vase", 2), *OTHERS)
        house.relay()

        with house.working():
            until(lambda: len(house.seen()) == len(OTHERS) and house.dead(), "all others handled, and it set aside")

        assert sorted(house.seen()) == sorted(OTHERS)
        assert house.parked() == ["vase"]
        assert [(letter.key, letter.attempts) for letter in house.dead()] == [("vase", 1)]
        found = status.status()
        assert [str(one) for one in status.problems(found, dispatches=True) if one.kind == "dead-letters"] == [
            "Dead letters: 1. See manage.py eventbus dead, then requeue or discard."
        ]
        assert [(one.group, one.dead_letters, one.dead_keys) for one in found.groups if one.dead_letters] == [
            ("house-a", 1, 1)
        ]

    def test_poison_side_by_side_holds_up_none_behind_it(self, house: House) -> None:
        names = beside_the_vase(3)
        house.handler(call=Poison(partial(refuse, *WAYS["a statement's timeout"]), "vase", *names[:2]), attempts=1)
        house.say(("vase", 1), (names[0], 1), (names[1], 1), (names[2], 1))
        house.relay()

        with house.working():
            until(lambda: house.seen() and len(house.dead()) == 3, "the last of them handled, and the others set aside")

        assert house.seen() == [(names[2], 1)]

    def test_parked_keys_whose_heads_break_the_world_hold_up_no_other(self, house: House, bus_clock) -> None:
        poison = Poison(partial(fail, ValueError("broken")), "vase", "sofa")
        house.handler(call=poison, attempts=2)
        house.say(("vase", 1), ("sofa", 1))
        house.settle(raise_errors=False)
        poison.end_world = partial(refuse, *WAYS["a statement's timeout"])
        house.say(*OTHERS)
        house.relay()
        bus_clock.advance(hours=1)
        house.restart()  # whoever settled leaves all partitions to the worker

        with house.working():
            until(lambda: len(house.seen()) == len(OTHERS) and len(house.dead()) == 2, "all others, and both set aside")

        assert sorted(house.seen()) == sorted(OTHERS)
        assert [letter.attempts for letter in house.dead()] == [2, 2]

    @pytest.mark.parametrize("where", ["asking", "recording"])
    def test_an_effect_that_breaks_the_world_for_one_event_alone_parks_its_key(self, house: House, where: str) -> None:
        poison, asked = Poison(partial(refuse, *WAYS["a query without memory"])), []

        def ask(event: Noted, **named: str) -> None:
            asked.append(event.name)
            if where == "asking":
                poison(event)

        def record(event: Noted, answer: None) -> None:
            if where == "recording":
                poison(event)
            house.write("post", event)

        house.effect("post", ask, record=record, on_unknown_outcome="never", attempts=1)
        house.say(("vase", 1), *OTHERS)
        house.relay()

        with house.working("post"):
            until(lambda: len(house.seen("post")) == len(OTHERS) and house.dead("post"), "all others, and it set aside")

        assert sorted(house.seen("post")) == sorted(OTHERS)
        assert [letter.error_class for letter in house.dead("post")] == ["OperationalError"]
        assert asked.count("vase") == (1 if where == "recording" else poison.tries)

    def test_a_service_that_is_away_for_one_event_and_answers_others_is_not_away(self, house: House, bus_clock) -> None:
        house.effect(
            "post",
            Poison(partial(fail, ServiceUnavailable("nobody opens"))),
            record=house.recording("post"),
            on_unknown_outcome="never",
            attempts=1,
        )
        house.say(("vase", 1))
        for one in OTHERS:
            house.say(one)
            house.settle(raise_errors=False)
            bus_clock.advance(minutes=1)

        assert len(house.seen("post")) == len(OTHERS)
        assert [letter.error_class for letter in house.dead("post")] == ["ServiceUnavailable"]

    def test_a_world_that_is_broken_for_all_is_waited_for(self, house: House) -> None:
        poison = Poison(partial(fail, InterfaceError("connection already closed")), "all")
        house.handler(call=poison, attempts=1)
        house.say(("vase", 1), ("vase", 2), *OTHERS[:5])
        house.relay()

        with house.working():
            until(lambda: poison.tries >= 25, "each was tried more often than one that breaks it alone may be")
            assert house.dead() == []
            poison.names.clear()
            until(lambda: len(house.seen()) == 7, "all handled once the world was back")

        assert house.seen(name="vase") == [1, 2]
        assert (house.parked(), house.dead()) == ([], [])

    def test_who_breaks_the_world_again_and_again_with_nobody_else_there_is_blamed(
        self, house: House, bus_clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        poison = Poison(partial(refuse, *WAYS["a statement's timeout"]))
        house.handler(call=poison, attempts=1)
        house.say(("vase", 1))
        house.relay()

        with house.working():
            until(lambda: poison.tries >= 20, "it was tried many times within a moment")
            assert house.dead() == []
            bus_clock.advance(minutes=1)
            until(house.dead, "it is set aside, since it went on for a minute")

        assert ParkedKey.objects.get().state == ParkedKey.State.DEAD
