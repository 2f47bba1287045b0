"""A database that was restored and repaired is restored once more: what it forgot the first time hides nothing."""

from pathlib import Path

import msgspec
import pytest

from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.errors import LogUnavailable
from eventbus.events import Record
from eventbus.models import Divergence, ForgottenSpan, TopicLog
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, replace
from tests.eventbus.restore_steps import Backup, Heard, await_brokers, database_kept, hearing, repair, restore, start
from tests.kafka import Cluster
from tests.kafka.backups import back_up_broker, restore_broker
from tests.waiting import until

pytestmark = pytest.mark.cluster

NAMES = ("vase", "chair", "lamp")
FIRST = [(name, 1) for name in NAMES]
FORGOTTEN = [(name, number) for number in (2, 3, 4) for name in NAMES]
NEW = [("vase", 20), ("chair", 20), ("vase", 21), ("lamp", 20)]  # of each key no more than were forgotten before


def test_where_the_log_was_made_anew_meanwhile(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup, tmp_path: Path
) -> None:
    restore(backup, house, heard)
    start()
    repair(house)
    house.settle()
    replace(replaced)
    house.restart()
    start()
    house.settle()

    it_is_noticed_once_more(house, heard, tmp_path)


def test_where_the_log_lost_its_end_meanwhile_and_kept_its_name(
    fresh_kafka: Cluster, fresh_log: KafkaBackend, house: House, tmp_path: Path
) -> None:
    heard, [broker] = hearing(house), fresh_kafka.brokers
    house.say(*FIRST)
    house.settle()
    log = TopicLog.objects.get(topic=Noted.topic).generation
    back_up_broker(broker, tmp_path / "broker")
    await_brokers(fresh_log)
    with database_kept(folder(tmp_path, "first")) as first:
        house.say(*FORGOTTEN)
        house.settle()
        restore(first, house, heard)
        start()
        repair(house)
        house.settle()
    restore_broker(broker, tmp_path / "broker")
    house.restart()
    until(has_begun, "a relay", seconds=WAIT_SECONDS)
    house.settle()
    assert TopicLog.objects.get(topic=Noted.topic).generation == log

    it_is_noticed_once_more(house, heard, tmp_path)


def it_is_noticed_once_more(house: House, heard: Heard, tmp_path: Path) -> None:
    """Restored to before NEW, which the log alone has then, in places of what was forgotten before."""
    with database_kept(folder(tmp_path, "second")) as second:
        house.say(*NEW)
        house.settle()
        told = [record for record in house.log() if (record.key, number_in(record)) in NEW]
        assert len(told) == len(NEW)
        assert are_where_the_first_restore_forgot(told)
        restore(second, house, heard)
        start()
        assert Divergence.objects.exists(), "a relay sees it"
        Divergence.objects.all().delete()

        house.settle()

        assert heard == []
        assert Divergence.objects.exists(), "so does a group"
        repair(house)
        house.say(("vase", 30))
        house.settle()
        assert heard == [("vase", 30)]


def are_where_the_first_restore_forgot(records: list[Record]) -> bool:
    spans = list(ForgottenSpan.objects.filter(topic=Noted.topic))
    return all(
        any(one.partition == record.partition and one.begin <= record.offset < one.end for one in spans)
        for record in records
    )


def number_in(record: Record) -> int:
    return msgspec.json.decode(record.payload, type=Noted).number


def has_begun() -> bool:
    try:
        start()
    except LogUnavailable:
        return False
    return True


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made
