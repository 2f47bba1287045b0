"""Over a real Apache Kafka a stretch of waiting events may hold records that only the brokers have."""

import json
from collections.abc import Iterator

import pytest

from eventbus.ids import uuid7
from eventbus.repairs.skipping import SkipRefused
from tests.eventbus.bus_app import Noted
from tests.eventbus.bus_app_on_kafka import HouseOnKafka, open_house_on_kafka
from tests.eventbus.busy_site import places
from tests.eventbus.skip_steps import frozen, paused_with, resumed, skipped


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka, partitions=1) as house:
        yield house


def told_by_others(house: HouseOnKafka, number: int) -> None:
    told = {"specversion": "1.0", "id": str(uuid7()), "source": "/elsewhere", "type": Noted.wire_type()}
    headers = {f"ce_{name}": text.encode() for name, text in told.items()} | {"content-type": b"application/json"}
    content = json.dumps({"name": "vase", "number": number}).encode()
    house.append(content, key=b"vase", headers=headers)


def test_an_event_of_another_program_is_not_skipped_and_not_lost(house: HouseOnKafka) -> None:
    house.handler()
    paused_with(house, ("vase", 1))
    told_by_others(house, 2)
    house.say(("vase", 3))
    house.settle()

    with pytest.raises(SkipRefused, match="record at offset 1 that is not in the outbox"):
        frozen()
    skipped(offset=1)
    resumed(house)

    assert house.seen(name="vase") == [2, 3]
    assert places() == {"discarded": 1, "handled": 1}
