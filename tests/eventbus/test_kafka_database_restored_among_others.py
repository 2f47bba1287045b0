"""What lies in the log of a database that was restored besides events that it has forgotten."""

from pathlib import Path
from typing import Any

from django.db import transaction

from eventbus import backends, clock, publish
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import Divergence, InboxRow, OutboxRow, Timer
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, append_from_elsewhere
from tests.eventbus.restore_steps import Backup, Heard, database_kept, of, repair, restore, start
from tests.eventbus.test_commands import run


def test_a_timer_that_had_come_due_after_the_backup_comes_due_once_more(
    replaced: KafkaBackend, house: House, heard: Heard, tmp_path: Path, bus_clock: Any
) -> None:
    house.say(("vase", 1))
    with transaction.atomic():
        publish(Noted(name="egg", number=7), due=clock.now())
    house.relay()
    with transaction.atomic():
        publish(Noted(name="egg", number=8), due=clock.now())
    with database_kept(tmp_path) as backup:
        house.settle()
        assert ("egg", 8) in heard
        restore(backup, house, heard)
        assert Timer.objects.count() == 1
        start()
        house.settle()
        assert Timer.objects.count() == 1, "the relay stands, with its timers"
        repair(house)
        house.settle()

    assert of(heard, "egg").count(8) == 1
    assert Timer.objects.count() == 0


def test_what_others_told_meanwhile_is_handled_after_the_repair(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup, settings: Any
) -> None:
    """Another site's events lie between the forgotten ones, and its own database has not gone back."""
    bus = dict(settings.EVENTBUS)
    restore(backup, house, heard)
    elsewhere(house, settings, bus, ("vase", 50), ("chair", 51))

    house.settle()
    assert heard == []
    repair(house)
    house.settle()

    assert sorted(heard) == [("chair", 51), ("vase", 50)]


def elsewhere(house: House, settings: Any, bus: dict[str, Any], *notes: tuple[str, int]) -> None:
    """Another site's relay has appended these."""
    log = replaced_by_settings(settings, bus | {"SOURCE": "/elsewhere"})
    house.say(*notes)
    append_from_elsewhere(log)
    replaced_by_settings(settings, bus)


def replaced_by_settings(settings: Any, bus: dict[str, Any]) -> Any:
    """The log stays: a change of the setting makes the process forget which it uses."""
    log = backends.current()
    settings.EVENTBUS = bus
    backends.use(log)
    return log


def test_a_copy_of_what_was_pruned_is_set_aside_and_stops_nobody(
    replaced: KafkaBackend, house: House, heard: Heard
) -> None:
    """A stranger who may write into the topic puts a record there again, signed as it is, long after."""
    house.say(("vase", 1), ("vase", 2))
    house.settle()
    [copied, *_] = house.log()
    OutboxRow.objects.filter(event_id=copied.event_id).delete()  # as pruning leaves it, with its inbox row
    InboxRow.objects.filter(event_id=copied.event_id).delete()
    headers = [(f"ce_{name}", value.encode()) for name, value in copied.attributes().items()]
    producer = replaced._make_producer()
    producer.produce(
        replaced.topics.name(Noted.topic),
        partition=copied.partition,
        key=copied.key.encode(),
        value=copied.payload,
        headers=[(name, value) for name, value in headers if name != "ce_datacontenttype"]
        + [("content-type", b"application/json")],
    )
    assert producer.flush(WAIT_SECONDS) == 0
    heard.clear()
    house.say(("vase", 3))

    house.settle()

    assert heard == [("vase", 3)]
    assert not Divergence.objects.exists()
    assert "house-a has set aside 1 records of house" in run("eventbus", "status")[2]
