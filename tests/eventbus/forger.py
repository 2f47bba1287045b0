"""Somebody who can write into the house's log on the brokers, and says that he is the site."""

import json
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition

from eventbus.audit import delivery_audit
from eventbus.events import SOURCE
from eventbus.ids import uuid7
from eventbus.models import OutboxRow, Progress
from tests.eventbus.bus_app import Noted
from tests.eventbus.bus_app_on_kafka import FLUSH_SECONDS, HouseOnKafka
from tests.eventbus.test_commands import a_living_dispatcher, run

NOT_TOLD = b'{"name":"vase","number":666}'


def says(**attributes: str) -> dict[str, bytes]:
    """The headers of somebody who says that he is this site."""
    told = {"specversion": "1.0", "id": str(uuid7()), "source": SOURCE, "type": Noted.wire_type()} | attributes
    return {f"ce_{name}": text.encode() for name, text in told.items()} | {"content-type": b"application/json"}


def told_by_us(house: HouseOnKafka, *, name: str = "vase", number: int = 1) -> Any:
    """A record that the relay has put into the log, as a stranger gets it."""
    house.say((name, number))
    house.relay()
    reader = Consumer({"bootstrap.servers": house.servers, "group.id": str(uuid4())})
    try:
        row = OutboxRow.objects.get(offset__isnull=False)
        reader.assign([TopicPartition(house.prefix + Noted.topic, row.partition, row.offset)])
        message = reader.poll(FLUSH_SECONDS)
        assert message is not None and message.error() is None
        return message
    finally:
        reader.close()


def all_is_well_but_for(house: HouseOnKafka, count: int) -> None:
    """Nobody heard them, nothing waits for them, the books balance, and an operator reads of them."""
    assert 666 not in [number for _, number in house.seen()]
    assert (house.parked(), house.dead()) == ([], [])
    assert delivery_audit.problems(delivery_audit.read()) == []
    progress = Progress.objects.get(group="house-a")
    assert (progress.untrusted, progress.ignored) == (count, 0), "what is counted as ignored would hide as many losses"
    with a_living_dispatcher():
        code, said, complaint = run("eventbus", "status", "--json")
    assert (code, json.loads(said)["untrusted"]) == ((1, {"house-a": count}) if count else (0, {})), complaint
    assert complaint.startswith("house-a has set aside" if count else "")
