"""A developer of a Java or Python program takes the how-to's programs, and they read and write as it says."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from django.conf import settings
from django.db import transaction

from eventbus import Event, backends, publish, registry
from eventbus.backends.base import partition_of
from eventbus.models import OutboxRow
from eventbus.progress import group_starts
from eventbus.repairs import untrusted_records
from stations.events import StationChanged
from tests.eventbus.bus_app_on_kafka import FLUSH_SECONDS, HouseOnKafka, open_house_on_kafka
from tests.eventbus.test_commands import run as run_command
from tests.reference import programs
from tests.reference.command_lines import commands_in_shell
from tests.reference.samples import STATION, site_events

PARTITIONS = 4
STATIONS, CHANGES = 100, 50  # 5,000 events
[SCHEMAS] = re.findall(r"^```sh\n(.*?)^```", programs.PAGE.read_text(), re.MULTILINE | re.DOTALL)
READERS = ["ReadStations.java", "read_stations.py"]
WRITERS = ["WriteParcel.java", "write_parcel.py"]
STRANGE_KEY = "a key that this site has never heard of"


@pytest.fixture(scope="module")
def folder(kafka_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the programs, compiled."""
    if shutil.which("javac") is None and not os.environ.get("CI"):
        pytest.skip("Java's compiler is not installed (Debian: apt install default-jdk-headless)")
    folder = tmp_path_factory.mktemp("programs")
    assert programs.copy_programs(folder) == sorted(READERS + WRITERS)
    programs.compile_java(folder)
    return folder


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka, partitions=PARTITIONS) as house:
        yield house


@pytest.fixture
def run(folder: Path, house: HouseOnKafka) -> Callable[..., str]:
    def run(name: str, *arguments: str, **environment: str) -> str:
        given = {"KAFKA_BOOTSTRAP_SERVERS": house.servers, "KAFKA_PREFIX": house.prefix}
        return programs.run(folder, name, *arguments, environment=given | environment)

    return run


def test_a_generator_of_classes_gets_the_schema_of_each_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [words] = commands_in_shell(SCHEMAS)
    monkeypatch.chdir(tmp_path)

    assert run_command(*words)[0] == 0

    assert {path.stem for path in (tmp_path / "schemas").iterdir()} >= {one.wire_type() for one in site_events()}


# --- reading -------------------------------------------------------------------------------------------------------


def change(number: int, version: int) -> StationChanged:
    values: dict[str, Any] = STATION | {"station_id": str(number), "version": version}
    values |= {name: datetime(2026, 5, 1, tzinfo=UTC) for name in ("polled_at", "reported_at")}
    return StationChanged(**values | {"position": None, "kinds": ("taken",)})


def publish_all(house: HouseOnKafka, *events: Event) -> None:
    """Through the outbox and the relay, as the site does."""
    house.backend.provision([StationChanged.topic])
    with transaction.atomic():
        publish(*events)
    while OutboxRow.objects.filter(offset=None).exists():
        house.relay()


def append_again(house: HouseOnKafka) -> None:
    """The first record of the stations, whole, as after a retry or a refill."""
    topic = house.prefix + StationChanged.topic
    reader = Consumer({"bootstrap.servers": house.servers, "group.id": str(uuid4())})
    row = OutboxRow.objects.filter(topic=StationChanged.topic).order_by("id")[0]
    assert row.partition is not None and row.offset is not None
    reader.assign([TopicPartition(topic, row.partition, row.offset)])
    message = reader.poll(FLUSH_SECONDS)
    reader.close()
    assert message is not None and message.error() is None
    producer = Producer({"bootstrap.servers": house.servers})
    producer.produce(topic, message.value(), message.key(), row.partition, headers=message.headers())
    assert producer.flush(FLUSH_SECONDS) == 0, "no acknowledgement"


def test_readers_count_each_of_5000_events_once_also_when_one_comes_again(
    house: HouseOnKafka, run: Callable[..., str]
) -> None:
    changes = [change(number, version) for version in range(1, CHANGES + 1) for number in range(STATIONS)]
    publish_all(house, *changes)

    first = {run(name) for name in READERS}
    append_again(house)
    again = {run(name) for name in READERS}

    assert first == {"events 5000, stale 0, gaps 0, repeats 0"}
    assert again == {"events 5000, stale 0, gaps 0, repeats 1"}


def test_readers_tell_what_is_stale_and_what_is_missing(house: HouseOnKafka, run: Callable[..., str]) -> None:
    versions = [1, 2, 2, 5, 4, 6]
    publish_all(house, *(change(1, version) for version in versions), change(2, 9))
    stranger = Producer({"bootstrap.servers": house.servers})
    stranger.produce(house.prefix + StationChanged.topic, b"no event")
    assert stranger.flush(FLUSH_SECONDS) == 0

    assert {run(name) for name in READERS} == {"events 7, stale 2, gaps 1, repeats 0"}


# --- writing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def weighed(house: HouseOnKafka) -> list[tuple[UUID, int]]:
    """What the site's handler is given, declared as the page says."""
    heard: list[tuple[UUID, int]] = []
    services.note_weight = lambda order_id, grams: heard.append((order_id, grams))
    registry.groups["parcels"] = parcels()
    house.backend.provision(["parcels"])
    group_starts.ensure(backends.current(), [registry.groups["parcels"]])
    return heard


services = SimpleNamespace()  # of the site, as its handler knows them


@cache
def parcels() -> registry.Group:
    """The group, declared once: two classes of one event would be a mistake that other tests find."""
    exec(programs.declaration(), {"services": services, "__name__": __name__})
    return registry.groups["parcels"]


def written_to(house: HouseOnKafka) -> list[tuple[str, int]]:
    """The key and partition of each record of the parcels."""
    reader = backends.current().consumer(["parcels"])
    found = []
    try:
        reader.catch_up(FLUSH_SECONDS)
        while records := reader.fetch(100):
            found += [(record.key, record.partition) for record in records]
    finally:
        reader.close()
    return found


def parcel_type() -> Any:
    return registry.groups["parcels"].all()[0].event_type


def test_the_site_handles_what_they_write_unsigned(
    house: HouseOnKafka, run: Callable[..., str], weighed: list[tuple[UUID, int]]
) -> None:
    parcels = [(uuid4(), 1200), (uuid4(), 300)]
    for name, (order_id, grams) in zip(WRITERS, parcels, strict=True):
        run(name, str(order_id), str(grams))

    house.settle(raise_errors=True)

    assert sorted(weighed) == sorted(parcels)
    assert sorted(written_to(house)) == sorted((str(one), partition_of(str(one), PARTITIONS)) for one, _ in parcels)
    assert untrusted_records.counts() == {}


def test_the_site_handles_what_they_sign_and_sets_all_else_aside(
    house: HouseOnKafka, run: Callable[..., str], weighed: list[tuple[UUID, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel_type(), "unsigned_from", ())
    keys = settings.EVENTBUS.get("SIGNING_KEYS") or [settings.SECRET_KEY]
    parcels = [(uuid4(), 1200), (uuid4(), 300)]
    for name, (order_id, grams) in zip(WRITERS, parcels, strict=True):
        run(name, str(order_id), str(grams), SIGNING_KEY=keys[0])
        run(name, str(uuid4()), "666")
        run(name, str(uuid4()), "667", SIGNING_KEY=STRANGE_KEY)

    house.settle(raise_errors=True)

    assert sorted(weighed) == sorted(parcels)
    assert untrusted_records.counts() == {"parcels": 4}
