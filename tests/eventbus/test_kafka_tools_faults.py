"""Faults planted in what keeps order and events under Kafka's own tools: each is noticed by a case of its tests."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from eventbus import backends
from eventbus.backends import topics
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.memory import MemoryBackend
from eventbus.consuming import outbox_backfill
from eventbus.errors import BusError, LogUnavailable
from tests.eventbus import bus_app as houses
from tests.eventbus import test_changing_backend as moving
from tests.eventbus import test_kafka_backfill as let_go
from tests.eventbus import test_kafka_backfill_holes as holes
from tests.eventbus import test_kafka_tools as tools
from tests.eventbus.bus_app import House, Noted, Sown
from tests.eventbus.bus_app_on_kafka import in_use
from tests.eventbus.faults.planting import Fault

Case = Callable[[KafkaBackend, House, pytest.LogCaptureFixture], None]


def plain(case: Callable[[KafkaBackend, House], None]) -> Case:
    return lambda log, house, caplog: case(log, house)


def moves(handled: bool) -> Case:
    def case(log: KafkaBackend, house: House, caplog: pytest.LogCaptureFixture) -> None:
        backends.use(MemoryBackend(partitions=tools.BEFORE))  # from there it goes to the log, and back
        moving.test_a_site_goes_from_kafka_to_memory_and_back_beside_others_who_write_there(handled, house, log)

    return case


def paused_in_one_process(log: KafkaBackend, house: House, caplog: pytest.LogCaptureFixture) -> None:
    let_go.test_what_retention_took_while_a_group_was_paused_is_handled_from_the_outbox("a new one", 0, log, house)


FAULTS = [
    (
        Fault(
            "skip what the log let go of",
            "eventbus.consuming.outbox_backfill.Backfill.begin",
            "> row.offset",
            "< 0",
            [],
        ),
        paused_in_one_process,
    ),
    (
        Fault(
            "believe that nothing lay in between",
            "eventbus.consuming.outbox_backfill.Backfill._lack",
            "if not holes:",
            "if True:",
            [],
            also=[("eventbus.consuming.outbox_backfill.Backfill._begins", "return first", "return {}")],
        ),
        plain(let_go.test_more_than_a_batch_of_each_partition_comes_before_what_the_log_goes_on_with),
    ),
    (
        Fault(
            "wait for no relay",
            "eventbus.consuming.outbox_backfill.Backfill._know",
            "if unsent.filter(id__lte=gap.relayed).exists():",
            "if False:",
            [],
        ),
        plain(let_go.test_what_was_sent_and_has_no_place_yet_is_waited_for),
    ),
    (
        Fault("name no loss", "eventbus.recovery.lost_records.note", "if count <= 0 or", "if True or", []),
        let_go.test_what_the_outbox_has_not_either_is_named_until_somebody_has_seen_to_it,
    ),
    (
        Fault(
            "take marks of transactions for records",
            "eventbus.consuming.outbox_backfill.Backfill._lack",
            "hole.begin < first or",
            "True or",
            [],
        ),
        plain(holes.test_numbers_that_transactions_of_others_take_are_not_taken_for_a_loss),
    ),
    (
        Fault(
            "give rows other places under a group that reads them",
            "eventbus.consuming.outbox_backfill.refuse_behind",
            "if _rows(place, row.offset, first.get(place, 0)).exists():",
            "if False:",
            [],
        ),
        plain(let_go.test_nothing_is_republished_while_a_group_has_some_of_it_to_read_from_the_outbox),
    ),
    (
        Fault(
            "place keys by what the brokers have",
            "eventbus.backends.kafka.key_partitions.Partitions.count",
            "min(there, outbox_offsets.partitions(topic) or there)",
            "there",
            [],
        ),
        plain(tools.test_partitions_added_while_a_group_lags_move_no_key),
    ),
    (
        Fault(
            "lead partitions in while events are on their way",
            "eventbus.operations.topic_setup._refuse_under_way",
            "if behind:",
            "if False:",
            [],
        ),
        plain(tools.test_added_partitions_are_led_in_once_all_is_handled_and_what_others_put_there_waits),
    ),
    (
        Fault(
            "see no other site",
            "eventbus.backends.kafka.other_sites.OtherSites._is_other",
            "return ",
            "return False and ",
            [],
        ),
        lambda log, house, caplog: with_another_site(log, house),
    ),
    (
        Fault(
            "put what is told in memory where groups have been",
            "eventbus.backends.memory.MemoryBackend._place",
            "outbox_offsets.passed(*partition)",
            "0",
            [],
        ),
        moves(True),
    ),
    (
        Fault(
            "forget that the log was in memory",
            "eventbus.backends.memory.MemoryBackend.generations",
            "dict.fromkeys(topics, IN_MEMORY)",
            "{}",
            [],
        ),
        moves(False),
    ),
]


def with_another_site(log: KafkaBackend, house: House) -> None:
    other = KafkaBackend(servers=log._servers, prefix=log._prefix)
    log._sites._client_id = f"{tools.other_sites.PREFIX}ours"
    other._sites._client_id = f"{tools.other_sites.PREFIX}another"
    try:
        tools.test_a_second_site_with_our_prefix_takes_no_partition_of_ours_and_says_what_to_do(log, other, house)
    finally:
        other.close()


@pytest.fixture
def log(kafka: str, house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBackend]:
    """What the process uses; nobody waits for long."""
    monkeypatch.setattr("eventbus.operations.topic_setup.declared_events", lambda: [Noted])
    monkeypatch.setattr(topics, "declared", {})
    monkeypatch.setattr(outbox_backfill, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(houses, "DEADLINE_SECONDS", 10)
    kind = partial(KafkaBackend, servers=kafka, prefix=f"{uuid4().hex[:8]}.", clients=tools.CLIENTS)
    with in_use(kind(partitions=tools.BEFORE)) as log:
        log.provision([Noted.topic, Sown.topic])
        yield log


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("fault", "case"), [pytest.param(fault, case, id=fault.name) for fault, case in FAULTS])
def test_a_fault_is_noticed(
    fault: Fault, case: Case, log: KafkaBackend, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    noticed: Any = (AssertionError, pytest.fail.Exception, ValueError, LogUnavailable, BusError)
    with fault.planted(), pytest.raises(noticed):
        case(log, house, caplog)
