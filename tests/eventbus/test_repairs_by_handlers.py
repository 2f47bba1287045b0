"""Each repair command, checked against the handlers' own record: they saw what the delivery audit calls handled.

In this house everything has happened at once: events were handled and ignored, one is dead with one behind it, one is
rejected by the log with one behind it, and one is lost. What no handler has seen after a command has a name.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from django.core.management import load_command_class
from django.db import transaction

from eventbus import Permanent, publish, registry
from eventbus.audit import delivery_audit
from eventbus.models import DeadLetter, OutboxRow
from tests.eventbus.bus_app import House, Mended, Unknown
from tests.eventbus.busy_site import account
from tests.eventbus.contract.test_dead_letters import pass_over
from tests.eventbus.test_commands import run

# But for `topics --apply`, which makes topics, and `contract --write`, which writes a file.
LOOKS = {"status", "topics", "dead", "rejected", "untrusted", "schema", "asyncapi", "contract", "doctor"}
ELSEWHERE = {
    "log-level": "it asks nothing of the bus",
    "republish": "there is nothing to do in memory: test_kafka_repairs.py",
    "dismiss": "of records that are not ours",
    "restored": "after a store went back: its own tests ask the handlers",
    "lost": "of records that are not ours, or whose rows are gone",
}


class Command(NamedTuple):
    """What is typed, what comes before it, and what the handlers have seen of each key once all has come to rest."""

    line: Callable[[House], list[str]]
    seen: dict[str, list[int]]
    lost: int = 1
    before: Callable[[House], None] = lambda house: None


SEEN = {"lamp": [1], "vase": [], "bowl": [], "rug": []}  # before anything is done


def letter() -> str:
    return str(DeadLetter.objects.get(behind=False).pk)


def rejected() -> str:
    return str(OutboxRow.objects.exclude(rejected="").get().pk)


def pause(house: House) -> None:
    run("eventbus", "pause", "house-a")


def wait(house: House) -> None:
    pause(house)
    house.say(("lamp", 2), ("vase", 3))
    house.settle()


def discard(house: House) -> None:
    run("eventbus", "discard", letter(), "--with-parked", "--expect", "2")
    house.settle()


COMMANDS = {
    "requeue": Command(lambda house: [letter()], SEEN | {"vase": [1, 2]}),
    "discard": Command(lambda house: [letter()], SEEN | {"vase": [2]}),
    "discard --with-parked": Command(lambda house: [letter(), "--with-parked", "--expect", "2"], SEEN),
    "undo": Command(lambda house: [letter()], SEEN, before=discard),
    "resend": Command(lambda house: ["--all"], SEEN | {"bowl": [1, 2]}),
    "withdraw": Command(lambda house: [rejected()], SEEN | {"bowl": [2]}),
    "pause": Command(lambda house: ["house-a"], SEEN),
    "resume": Command(
        lambda house: ["house-a"], SEEN, before=lambda house: run("eventbus", "pause", "house-a") and None
    ),
    "redeliver": Command(lambda house: ["house-a", "--lost"], SEEN | {"rug": [1]}, lost=0),
    "replay": Command(lambda house: ["house-a", "--all"], SEEN | {"lamp": [1, 1], "rug": [1]}),
    "skip": Command(lambda house: ["house-a", "--to-offset", "99", "--yes"], SEEN, before=wait),
    "prune": Command(lambda house: ["--older-than", "0.1"], SEEN),
}


@pytest.fixture
def broken(house: House) -> Iterator[Mended]:
    broken = Mended("vase", error=Permanent("poison"))
    house.handler("house-a", broken, replayable=True)
    house.say(("rug", 1))
    house.relay()
    pass_over("rug")
    house.restart()
    house.say(("vase", 1), ("vase", 2), ("lamp", 1))
    with transaction.atomic():
        publish(Unknown(name="chair"))
    house.say(("bowl", 1))
    OutboxRow.objects.filter(key="bowl").update(rejected="too large")
    house.say(("bowl", 2))
    house.settle()
    yield broken


def seen(house: House) -> dict[str, list[int]]:
    return {name: house.seen(name=name) for name in SEEN}


def lost() -> int:
    return sum(one.count for one in delivery_audit.read().violations if one.what == delivery_audit.LOST)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_ledger_calls_handled_the_handlers_saw(house: House, broken: Mended, bus_clock, name: str) -> None:
    assert (seen(house), lost()) == (SEEN, 1)
    command = COMMANDS[name]
    command.before(house)
    bus_clock.advance(hours=1)
    broken.names.clear()

    code, _, complaint = run("eventbus", name.partition(" ")[0], *command.line(house))
    house.settle()

    assert code == 0, complaint
    assert seen(house) == command.seen
    replayed = delivery_audit.read().replayed.get("house-a", 0)
    assert account().handled == len(house.seen()) - replayed
    assert lost() == command.lost
    assert account().balance == command.lost


@pytest.mark.django_db(transaction=True)
def test_a_group_that_lost_something_is_not_closed_without_a_word(house: House, broken: Mended) -> None:
    """With it its account goes, and the loss from sight."""
    registry.groups.pop("house-a")

    code, _, complaint = run("eventbus", "close", "house-a")
    assert code == 1
    assert "1 parked events, 1 dead letters and 1 lost events" in complaint
    assert lost() == 1

    code, said, _ = run("eventbus", "close", "house-a", "--force")
    assert code == 0
    assert "lost: 1" in said
    assert seen(house) == SEEN


@pytest.mark.django_db(transaction=True)
def test_what_was_withdrawn_is_named_by_the_ledger(house: House, broken: Mended) -> None:
    run("eventbus", "withdraw", rejected())

    assert delivery_audit.read().withdrawn == {"house": 1}
    assert "withdrawn, house: 1" in run("eventbus", "status")[1]


def test_every_command_is_asked() -> None:
    parser = load_command_class("eventbus", "eventbus").create_parser("manage.py", "eventbus")
    [actions] = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]

    assert {*actions.choices} == LOOKS | {*ELSEWHERE} | {name.partition(" ")[0] for name in COMMANDS} | {"close"}
