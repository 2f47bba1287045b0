"""The database is restored from a backup while Kafka went on: what it has forgotten is handled by nobody."""

import json
import logging
import re
import textwrap
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction

from eventbus import publish, registry
from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.consuming.worker import Worker
from eventbus.models import Divergence, OperatorAction, OutboxRow, ReplayRun, UntrustedRecord
from eventbus.publishing.relay import Relay
from eventbus.recovery import lost_records
from eventbus.repairs.replay import Replay
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS
from tests.eventbus.replay_steps import begun, replayed
from tests.eventbus.restore_steps import AFTER, BEFORE, GHOSTS, Backup, Heard, database_kept, of, repair, restore, start
from tests.eventbus.test_commands import a_living_dispatcher, run
from tests.eventbus.test_kafka_backfill import let_go

MANUAL = Path(__file__).parents[2] / "docs" / "operations.md"
CHAPTER = MANUAL.read_text().partition("### A database that was restored")[2].partition("\n### ")[0]
TYPED = [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```", CHAPTER, re.DOTALL | re.MULTILINE)]


def worked(log: KafkaBackend) -> None:
    """A worker has had all that lies in the log."""
    with closing(Worker(registry.groups["house-a"], log)) as worker:
        worker.catch_up(WAIT_SECONDS)
        for _ in range(10):
            worker.step()


def numbers_in(house: House) -> list[str]:
    return [record.attributes()["sequence"] for record in house.log()]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]


def test_nothing_that_the_database_forgot_is_handled_whoever_is_first(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup, caplog: pytest.LogCaptureFixture
) -> None:
    restore(backup, house, heard)
    house.say(*AFTER)

    worked(replaced)  # before any relay has looked
    worked(replaced)
    Relay(replaced).begin()
    Relay(replaced).step()
    worked(replaced)

    assert heard == []
    assert len(house.log()) == len(BEFORE + GHOSTS), "and nothing is appended"
    [told] = [one for one in errors(caplog) if "went back" in one]
    assert told.startswith("The database went back to an earlier time: the log holds house.noted.v1 ")


def test_a_relay_that_begins_sees_it_before_it_appends(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup, caplog: pytest.LogCaptureFixture
) -> None:
    restore(backup, house, heard)
    house.say(*AFTER)

    relay = Relay(replaced)
    relay.begin()
    relay.step()

    assert Divergence.objects.exists()
    assert len(house.log()) == len(BEFORE + GHOSTS)
    assert len([one for one in errors(caplog) if "The database went back" in one]) == 1
    with a_living_dispatcher():
        code, _, complaint = run("eventbus", "status")
    assert code == 1
    assert "The database went back to an earlier time" in complaint
    assert "manage.py eventbus restored" in complaint


def test_an_operator_is_led_through_the_repair(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup
) -> None:
    restore(backup, house, heard)
    house.say(*AFTER)
    used = set(numbers_in(house))
    start()
    house.settle()
    assert heard == []

    code, said, complaint = run("eventbus", "restored")
    assert (code, complaint) == (1, "Nothing is repaired yet: manage.py eventbus restored --apply does that.")
    assert "house.noted.v1" in said
    assert "groups pass over the 4 forgotten events: no handler is called for them" in said
    assert "3 events that wait in the outbox have new ones, in order" in said
    assert Divergence.objects.exists(), "looking changes nothing"
    code, said, _ = run("eventbus", "restored", "--json")
    told = json.loads(said)
    assert [code, told["applied"], told["forgotten"]] == [1, False, 4]
    assert sorted((one["key"], json.loads(one["data"])["number"]) for one in told["events"]) == sorted(GHOSTS)
    assert "manage.py reconcile" in repair(house)
    house.settle()

    assert of(heard, "vase") == [10, 11]
    assert sorted(heard) == sorted(AFTER)
    new = numbers_in(house)
    assert len(new) == len(set(new)) == len(BEFORE + GHOSTS + AFTER), "no number is used twice"
    assert min(set(new) - used) > max(used)
    assert delivery_audit.problems(delivery_audit.read()) == []
    action = OperatorAction.objects.get()
    assert (action.action, "command line" in action.who) == ("repair", True)
    with a_living_dispatcher():
        assert "went back" not in run("eventbus", "status")[2]
    assert run("eventbus", "restored") == (
        0,
        "Log and database tell of the same past: nothing is to be repaired.\n",
        "",
    )


def test_the_manuals_commands_repair_it(replaced: KafkaBackend, house: House, heard: Heard, backup: Backup) -> None:
    restore(backup, house, heard)
    house.say(*AFTER)
    start()
    commands = re.findall(r"^manage\.py (eventbus [^>\n]*)", "".join(TYPED), re.MULTILINE)

    codes = [run(*command.split())[0] for command in commands]
    house.restart()
    house.settle()

    assert commands == ["eventbus restored", "eventbus restored --json ", "eventbus restored --apply"]
    assert codes == [1, 1, 0], "to be repaired, and repaired"
    assert sorted(heard) == sorted(AFTER)
    assert not UntrustedRecord.objects.exists(), "what was forgotten is nobody's forgery"


def test_an_operator_is_told_which_projections_to_make_anew(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup
) -> None:
    restore(backup, house, heard)
    house.handler("house-b", replayable=True)
    start()

    _, told, _ = run("eventbus", "restored")

    [anew] = [line for line in told.splitlines() if "projection" in line and "house" in line]
    assert anew.endswith(": manage.py eventbus replay house-b --topic house --all")


def test_an_operator_is_told_which_replays_to_go_on_with(
    replaced: KafkaBackend, house: House, heard: Heard, tmp_path: Path
) -> None:
    house.handler("house-b", replayable=True)
    house.say(*BEFORE)
    house.settle()
    replayed("house-b")
    left = begun("house-b")
    with database_kept(tmp_path) as backup:
        house.say(*GHOSTS)
        house.settle()
        Replay(left, threading.Event()).go()
        restore(backup, house, heard)
        start()

        told = repair(house)
        house.settle()

    named = [line for line in told.splitlines() if "--resume" in line]
    assert [line.partition("under way: ")[2] for line in named] == [
        f"manage.py eventbus replay house-b --resume {left.pk}"
    ], "the run that had ended is not named"
    assert run("eventbus", "replay", "house-b", "--resume", str(left.pk))[0] == 0
    assert sorted(house.seen("house-b")) == sorted(3 * BEFORE)
    assert ReplayRun.objects.get(id=left.pk).state == ReplayRun.State.DONE


def test_what_is_published_after_the_repair_is_handled_in_the_order_of_its_commits(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup
) -> None:
    restore(backup, house, heard)
    house.say(("vase", 10))
    start()
    house.settle()
    repair(house)

    house.say(("vase", 11), ("vase", 12))
    house.settle()

    assert heard == [("vase", 10), ("vase", 11), ("vase", 12)]
    assert OutboxRow.objects.filter(offset=None).count() == 0


def test_what_was_sent_before_anybody_looked_is_handled_and_its_numbers_are_named(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup
) -> None:
    """A relay of a release that did not look."""
    restore(backup, house, heard)
    house.say(*AFTER)
    Relay(replaced).step()
    house.settle()
    assert heard == []

    assert "3 events were sent under numbers used before" in repair(house)
    house.say(("vase", 12))
    house.settle()

    assert of(heard, "vase") == [10, 11, 12]
    assert sorted(heard) == sorted([*AFTER, ("vase", 12)])
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_the_backup_has_not_sent_and_the_log_has_is_handled_once(
    replaced: KafkaBackend, house: House, heard: Heard, tmp_path: Path
) -> None:
    house.say(("vase", 1))
    house.settle()
    house.say(("vase", 2))
    with database_kept(tmp_path) as backup:  # its row is committed, and was not sent
        house.settle()
        house.say(("vase", 3))
        house.settle()
        restore(backup, house, heard)
        start()
        house.settle()
        repair(house)
        house.settle()

    assert heard == [("vase", 2)]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_timer_that_is_published_again_under_its_former_number_is_handled_once(
    replaced: KafkaBackend, house: House, heard: Heard, tmp_path: Path, bus_clock
) -> None:
    """A relay that runs on publishes it before anybody has noticed the restore."""
    house.say(("vase", 1))
    with transaction.atomic():
        publish(Noted(name="lamp", number=1), due=bus_clock.now() + timedelta(minutes=1))
    house.settle()
    with database_kept(tmp_path) as backup:
        house.say(("vase", 2))
        house.settle()
        bus_clock.advance(minutes=2)
        house.settle()
        restore(backup, house, heard)
        house.say(("chair", 10))  # under the number that the second of the vase had
        Relay(replaced)._publish_due()
        start()
        house.settle()
        repair(house)
        house.settle()

    assert sorted(heard) == [("chair", 10), ("lamp", 1)]
    assert not UntrustedRecord.objects.exists()
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_the_log_lets_go_of_is_no_loss_where_a_restore_forgot_it(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup
) -> None:
    restore(backup, house, heard)
    start()
    repair(house)
    let_go(replaced)
    house.say(*AFTER)

    house.settle()

    assert sorted(heard) == sorted(AFTER)
    assert list(lost_records.waiting()) == []
    assert delivery_audit.problems(delivery_audit.read()) == []
