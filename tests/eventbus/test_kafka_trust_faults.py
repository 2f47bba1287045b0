"""Faults planted in what tells forged records from genuine ones: each is noticed by what a stranger then achieves."""

from collections.abc import Callable, Iterator

import pytest

from eventbus import clock
from eventbus.models import OutboxRow, Progress, UntrustedRecord
from tests.eventbus.bus_app_on_kafka import HouseOnKafka, open_house_on_kafka
from tests.eventbus.faults.planting import Fault
from tests.eventbus.forger import NOT_TOLD, all_is_well_but_for, says, told_by_us


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    Progress.objects.all().delete()  # of the site's own groups, whose topics are not here
    with open_house_on_kafka(kafka, partitions=1) as house:
        yield house


def forge(house: HouseOnKafka) -> None:
    house.append(NOT_TOLD, key=b"vase", headers=says())


def forge_as_another(house: HouseOnKafka) -> None:
    house.append(NOT_TOLD, key=b"vase", headers=says(source="/of-nobody"))


def change_the_payload(house: HouseOnKafka) -> None:
    house.append(NOT_TOLD, key=b"vase", headers=told_by_us(house).headers())


def change_the_key(house: HouseOnKafka) -> None:
    ours = told_by_us(house)
    house.append(ours.value(), key=b"chair", headers=dict(ours.headers()))


def change_the_id(house: HouseOnKafka) -> None:
    ours = told_by_us(house)
    house.append(ours.value(), key=b"vase", headers=dict(ours.headers()) | {"ce_id": says()["ce_id"]})


def change_the_time(house: HouseOnKafka) -> None:
    ours = told_by_us(house)
    house.append(ours.value(), key=b"vase", headers=dict(ours.headers()) | {"ce_time": b"2020-01-01T00:00:00+00:00"})


def use_an_id_of_ours(house: HouseOnKafka) -> None:
    [event_id] = house.say(("vase", 1))
    house.append(NOT_TOLD, key=b"vase", headers=says(id=str(event_id)))


FAULTS = [
    (
        Fault("believe all", "eventbus.backends.kafka.signing.is_signed", "if len(", "return True\nif len(", []),
        [forge_as_another, change_the_payload],  # an id that the outbox does not know is set aside for that as well
    ),
    (
        Fault("sign no payload", "eventbus.backends.kafka.signing._signed", " + payload", ' + b""', []),
        [change_the_payload],
    ),
    (
        Fault("sign no key", "eventbus.backends.kafka.signing._signed", "\\0{key}\\0", "\\0", []),
        [change_the_key],
    ),
    (
        Fault("sign no attributes", "eventbus.backends.kafka.signing._signed", "\\0{headers}\\0", "\\0", []),
        [change_the_time],
    ),
    (
        Fault(
            "believe who names another source",
            "eventbus.consuming.trust._may_tell",
            "not event_type.unsigned_from or record.claims_ours",
            "record.claims_ours",
            [],
            also=[("eventbus.consuming.trust._may_tell", "ANYBODY in event_type.unsigned_from", "True")],
        ),
        [forge_as_another],
    ),
    (
        Fault("count them as ours", "eventbus.events.Record.ours", "self.trusted and ", "", []),
        [forge],
    ),
    (
        Fault("have handlers called", "eventbus.registry.Group.of", "if record.trusted else []", "", []),
        [forge, forge_as_another],
    ),
    (
        Fault("name none", "eventbus.consuming.trust.set_aside", "if not strange:", "if True:", []),
        [forge, forge_as_another],
    ),
]
PAIRS = [pytest.param(fault, act, id=f"{fault.name}: {act.__name__}") for fault, acts in FAULTS for act in acts]


@pytest.mark.parametrize(("fault", "act"), PAIRS)
def test_a_fault_lets_a_stranger_in_and_is_noticed(
    house: HouseOnKafka, fault: Fault, act: Callable[[HouseOnKafka], None]
) -> None:
    house.handler()
    with fault.planted():
        act(house)
        house.settle()

        with pytest.raises(AssertionError):
            all_is_well_but_for(house, 1)


def test_any_text_under_an_events_id_and_place_would_be_believed(house: HouseOnKafka) -> None:
    """Where the look into the outbox compared no payloads."""
    house.handler()
    place, payload = "eventbus.consuming.trust._is_of", "and bytes(row.payload) == record.payload"
    attributes = (place, "and record.attributes() == _attributes(row)", "")
    [event_id] = house.say(("vase", 1))
    OutboxRow.objects.update(partition=0, offset=0, appended_at=clock.now())  # there, as it seems
    with Fault("take any text for the outbox's", place, payload, "", [], also=[attributes]).planted():
        told = says(id=str(event_id), sequence=str(OutboxRow.objects.get().id))
        house.append(NOT_TOLD, key=b"vase", headers=told)
        house.settle()

    assert house.seen() == [("vase", 666)]


@pytest.mark.parametrize(
    "act", [forge, change_the_payload, change_the_key, change_the_id, change_the_time, use_an_id_of_ours]
)
def test_without_a_fault_all_is_well(house: HouseOnKafka, act: Callable[[HouseOnKafka], None]) -> None:
    house.handler()
    act(house)
    house.settle()

    all_is_well_but_for(house, 1)
    assert UntrustedRecord.objects.count() == 1
