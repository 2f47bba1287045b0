"""Every action of the command line leaves its row in the audit trail; one that only looks leaves none."""

import argparse
from collections.abc import Callable

import pytest

from eventbus import Permanent, clock, registry
from eventbus.ids import uuid7
from eventbus.management.commands.eventbus import Command
from eventbus.models import DeadLetter, OperatorAction, OutboxRow, UntrustedRecord
from eventbus.selections import audit_trail
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.contract.test_dead_letters import pass_over
from tests.eventbus.test_commands import run

LOOKS = {"status", "dead", "untrusted", "rejected", "lost", "schema", "doctor", "asyncapi", "contract"}
OVER_KAFKA = {  # with the test that finds the row: in memory there is nothing for it to do
    "republish": "test_kafka_lost.py",
    "restored": "test_kafka_database_restored.py",
    "topics": "test_kafka_topics.py",
}


def letter(house: House) -> str:
    house.handler(call=Mended("vase", error=Permanent("poison")), on_dead="skip", replayable=True)
    house.say(("vase", 1), ("chair", 1))
    house.settle()
    return str(DeadLetter.objects.get().pk)


def discarded(house: House) -> str:
    number = letter(house)
    run("eventbus", "discard", number)
    house.settle()
    OperatorAction.objects.all().delete()
    return number


def rejected(house: House) -> str:
    house.handler()
    house.say(("vase", 1))
    OutboxRow.objects.update(rejected="too large")
    return str(OutboxRow.objects.get().pk)


def untrusted(house: House) -> str:
    about = {"group": "house-a", "topic": Noted.topic, "partition": 0, "offset": 0, "type": "x", "key": "x"}
    return str(UntrustedRecord.objects.create(**about, event_id=uuid7(), seen_at=clock.now()).pk)


def passed(house: House) -> str:
    house.handler()
    house.say(("vase", 1))
    house.relay()
    pass_over("vase")
    house.restart()
    return "house-a"


def paused(house: House) -> str:
    house.handler()
    run("eventbus", "pause", "house-a")
    OperatorAction.objects.all().delete()
    return "house-a"


def waited_for(house: House) -> str:
    name = paused(house)
    house.say(("vase", 1))
    house.settle()
    return name


def declared(house: House) -> str:
    house.handler()
    return "house-a"


def gone(house: House) -> str:
    house.handler()
    registry.groups.pop("house-a")
    return "house-a"


# By action: what makes its object and returns its name, and further arguments.
ACTS: dict[str, tuple[Callable[[House], str], tuple[str, ...]]] = {
    "requeue": (letter, ()),
    "discard": (letter, ()),
    "undo": (discarded, ()),
    "resend": (rejected, ()),
    "withdraw": (rejected, ()),
    "dismiss": (untrusted, ()),
    "redeliver": (passed, ("--lost",)),
    "pause": (declared, ()),
    "resume": (paused, ()),
    "close": (gone, ()),
    "replay": (letter, ()),
    "prune": (letter, ()),
    "log-level": (declared, ()),
    "skip": (waited_for, ("--to-offset", "9", "--yes")),
}
WRITTEN_AS = {"undo": "restore"}
ARGUMENTS: dict[str, Callable[[str], list[str]]] = {
    "replay": lambda name: ["house-a", "--key", "chair"],
    "prune": lambda name: ["--older-than", "1"],
    "log-level": lambda name: ["eventbus", "DEBUG"],
}


def test_every_action_of_the_command_line_is_known_here() -> None:
    parser = Command().create_parser("manage.py", "eventbus")
    [actions] = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]

    assert set(actions.choices) == ACTS.keys() | LOOKS | OVER_KAFKA.keys()


@pytest.mark.parametrize("action", ACTS)
def test_an_action_of_the_command_line_is_in_the_trail(house: House, action: str) -> None:
    prepare, more = ACTS[action]
    name = prepare(house)
    given = ARGUMENTS[action](name) if action in ARGUMENTS else [name, *more]

    code, _said, complaint = run("eventbus", action, *given)

    assert (code, complaint) == (0, "")
    [row] = [one for one in OperatorAction.objects.all() if one.decision in (None, one.pk)]  # of a decision the first
    assert row.action == WRITTEN_AS.get(action, action)
    assert "command line" in row.who


def test_a_dry_run_of_pruning_is_no_action(house: House) -> None:
    letter(house)

    assert run("eventbus", "prune", "--dry-run")[0] == 0
    assert not OperatorAction.objects.exists()


def test_a_decision_about_many_is_one_entry_with_their_number(house: House) -> None:
    house.handler(call=Mended("vase", error=Permanent("poison")), on_dead="skip")
    house.say(("vase", 1), ("vase", 2), ("vase", 3))
    house.settle()
    run("eventbus", "requeue", "--all")

    first = OperatorAction.objects.order_by("id")[:1]

    assert [one.count for one in audit_trail.counted(list(first))] == [3]
