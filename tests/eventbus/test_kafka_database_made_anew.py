"""The database is made anew, empty, beside a Kafka that holds all that the site has told."""

from typing import Any

import pytest
from django.core.management import call_command

from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import Divergence, OutboxRow, TopicLog
from eventbus.publishing.relay import Relay
from eventbus.repairs import restore_repair
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.restore_steps import Heard, repair, start
from tests.eventbus.test_commands import a_living_dispatcher, run
from tests.eventbus.test_kafka_database_restored_among_others import elsewhere

BEFORE = [("vase", 1), ("chair", 1), ("vase", 2), ("lamp", 1)]
AFTER = [("vase", 10), ("chair", 10), ("vase", 11)]


def make_anew(house: House, heard: Heard) -> None:
    """Empty tables, as `migrate` leaves them: groups begin where the log ends now."""
    # Only the outbox counts from one again: on PostgreSQL other tests' rows keep the ids that they had.
    call_command("flush", "--no-input", verbosity=0, reset_sequences=False)
    restore_repair._draw_from(1)
    house.restart()
    heard.clear()


@pytest.fixture
def anew(replaced: KafkaBackend, house: House, heard: Heard) -> KafkaBackend:
    restore_repair._draw_from(50)  # the log has let go of what was told first
    house.say(*BEFORE)
    house.settle()
    make_anew(house, heard)
    assert not OutboxRow.objects.exists()
    return replaced


def test_a_relay_that_begins_sees_it_and_numbers_are_not_used_twice(
    anew: KafkaBackend, house: House, heard: Heard
) -> None:
    used = {record.attributes()["sequence"] for record in house.log()}
    house.say(*AFTER)

    relay = Relay(anew)
    relay.begin()
    relay.step()
    house.settle()

    assert heard == []
    assert len(house.log()) == len(BEFORE), "nothing is appended under numbers that were used"
    with a_living_dispatcher():
        code, _, complaint = run("eventbus", "status")
    assert code == 1
    assert "manage.py eventbus restored" in complaint
    code, said, _ = run("eventbus", "restored")
    assert code == 1
    assert f"groups pass over the {len(BEFORE)} forgotten events" in said

    repair(house)
    start()
    house.settle()

    assert sorted(heard) == sorted(AFTER)
    assert [number for name, number in heard if name == "vase"] == [10, 11]
    assert min({record.attributes()["sequence"] for record in house.log()} - used) > max(used)
    assert delivery_audit.problems(delivery_audit.read()) == []
    assert run("eventbus", "restored")[0] == 0


def test_a_relay_that_begins_after_the_repair_goes_on(anew: KafkaBackend, house: House, heard: Heard) -> None:
    start()
    repair(house)

    start()
    house.restart()
    start()

    assert not Divergence.objects.exists()
    assert TopicLog.objects.filter(topic=Noted.topic).exists()


def test_a_site_that_comes_new_to_a_topic_in_which_others_tell_begins(
    replaced: KafkaBackend, house: House, heard: Heard, settings: Any
) -> None:
    elsewhere(house, settings, dict(settings.EVENTBUS), *BEFORE)
    make_anew(house, heard)
    house.say(*AFTER)

    start()
    house.settle()

    assert not Divergence.objects.exists()
    assert sorted(heard) == sorted(AFTER)
