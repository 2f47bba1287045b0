"""A new group begins while a log is lost, filled again or exchanged, or after a restore: it handles what comes then."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from eventbus import handles, publish, registry
from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.errors import LogUnavailable
from eventbus.models import Divergence, OutboxRow, Progress, TopicLog
from eventbus.progress import group_starts, log_generations
from eventbus.publishing import relay
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Noted, Sown
from tests.eventbus.bus_app_on_kafka import by_others, in_use, replace
from tests.eventbus.contract.test_once import meanwhile
from tests.eventbus.restore_steps import AFTER, Backup, Heard, repair, restore, start

OLD = [("vase", 1), ("vase", 2), ("chair", 1), ("lamp", 1)]
NEW = [("vase", 3), ("lamp", 2)]


def begins_with_new(house: House, *before: tuple[str, int]) -> None:
    house.say(*NEW)
    house.settle()
    assert sorted(house.seen("house-b")) == sorted([*before, *NEW])
    assert delivery_audit.problems(delivery_audit.read()) == []


@pytest.fixture
def elsewhere(kafka: str) -> Iterator[KafkaBackend]:
    """A log at the brokers in which the site has never been."""
    log = KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.")
    log.provision([Noted.topic])
    yield log
    log.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("others", [0, 30], ids=["an empty log", "a log of others"])
def test_a_module_that_comes_with_the_move_to_kafka_handles_all_that_is_new_and_nothing_old(
    house: House, elsewhere: KafkaBackend, others: int
) -> None:
    by_others(elsewhere, others)
    house.handler("house-a")
    house.say(*OLD)
    house.settle()

    with in_use(elsewhere):
        house.restart()
        house.handler("house-b")
    house.say(("chair", 2))  # while the site still runs in memory
    house.relay()
    with in_use(KafkaBackend(servers=elsewhere._servers, prefix=elsewhere._prefix)):
        house.restart()
        begins_with_new(house, ("chair", 2))
        assert sorted(house.seen("house-a")) == sorted([*OLD, *NEW, ("chair", 2)])


@contextmanager
def filled_by_halves(monkeypatch: pytest.MonkeyPatch, log: KafkaBackend, topic: str = Noted.topic) -> Iterator[Relay]:
    """The log of a topic was lost, and a relay has appended a part of the outbox again."""
    monkeypatch.setattr(relay, "BATCH_ROWS", 2)
    replace(log, topic)
    began = Relay(log)
    began.begin()
    began.step()
    assert TopicLog.objects.filter(refill_to__gt=0).exists()
    yield began


def test_a_group_made_while_a_log_is_filled_again_handles_nothing_old(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.handler("house-a")
    house.say(*OLD)
    house.settle()

    with filled_by_halves(monkeypatch, replaced):
        house.handler("house-b")

    begins_with_new(house)
    assert sorted(house.seen("house-a")) == sorted(OLD + NEW)


def test_a_group_of_several_topics_made_while_one_is_filled_again_handles_nothing_old(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`garden` comes before `house` in every order of names, so what is noted for it must outlast the other."""
    replaced.provision([Sown.topic])
    with transaction.atomic():
        publish(*(Sown(name=name, number=number) for name, number in OLD))
    house.say(("vase", 1))
    house.relay()

    with filled_by_halves(monkeypatch, replaced, Sown.topic):
        for kind in (Sown, Noted):
            handles(kind, group="house-b")(lambda event: house.write("house-b", event))
        group_starts.ensure(replaced, [registry.groups["house-b"]])

    begins_with_new(house)


def test_a_group_made_before_the_relay_has_noted_what_it_sent_again_is_counted_right(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log ends behind records of which the outbox does not know yet."""
    house.handler("house-a")
    house.say(*OLD, *OLD)
    house.settle()

    with (
        filled_by_halves(monkeypatch, replaced) as filler,
        meanwhile("append.acknowledged", lambda: house.handler("house-b")),
    ):
        filler.step()

    begins_with_new(house)


def test_a_group_made_before_the_sites_first_event_is_appended_again_does_not_handle_it(
    replaced: KafkaBackend, house: House
) -> None:
    house.handler("house-a")
    house.say(("vase", 1))
    OutboxRow.objects.update(id=1)
    house.settle()
    house.restart()
    replace(replaced)
    Relay(replaced).begin()

    house.handler("house-b")

    begins_with_new(house)


def test_a_group_from_the_earliest_made_while_a_log_is_filled_again_handles_all(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.say(*OLD)
    house.relay()

    with filled_by_halves(monkeypatch, replaced):
        house.handler("house-b", start="earliest")
    house.settle()

    assert sorted(house.seen("house-b")) == sorted(OLD)
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_group_made_after_a_loss_that_no_relay_has_noticed_handles_nothing_old(
    replaced: KafkaBackend, house: House
) -> None:
    house.say(*OLD)
    house.relay()
    replace(replaced)

    house.handler("house-b")

    begins_with_new(house)


def test_a_log_that_is_filled_again_while_a_group_is_made_is_looked_at_once_more(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay fills it between the question for its end and the group's first row.

    It is shorter then, because some of its events are pruned: the group would wait far behind its end.
    """
    house.say(*OLD * 10)
    house.relay()
    OutboxRow.objects.filter(offset__gt=2).delete()
    kept = OutboxRow.objects.count()
    asked, lost = replaced.ends, [True]

    def ends(partitions: Any) -> Any:
        found = asked(partitions)
        if lost:
            lost.clear()
            replace(replaced)
            filler = Relay(replaced)
            filler.begin()
            filler.step()
        return found

    monkeypatch.setattr(replaced, "ends", ends)
    house.handler("house-b")
    monkeypatch.undo()

    begun = Progress.objects.filter(group="house-b")
    assert sum(begun.values_list("start", flat=True)) == kept
    begins_with_new(house)


def test_migrating_a_restored_database_does_not_hide_the_restore(
    replaced: KafkaBackend, house: House, heard: Heard, backup: Backup
) -> None:
    """The new group begins at the log's end: behind all that the database has forgotten."""
    restore(backup, house, heard)
    house.handler("house-b")
    house.say(*AFTER)

    start()
    assert Divergence.objects.exists(), "the relay has seen it before anything moved"
    house.settle()
    assert heard == house.seen("house-b") == []

    repair(house)
    house.settle()
    assert sorted(heard) == sorted(AFTER)
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_site_whose_logs_are_always_filled_again_is_told_so(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.say(*OLD)
    house.relay()
    asked = replaced.ends

    def ends(partitions: Any) -> Any:
        TopicLog.objects.update(generation=uuid4().hex)
        return asked(partitions)

    monkeypatch.setattr(replaced, "ends", ends)

    with pytest.raises(LogUnavailable, match="house-b are being filled again"):
        house.handler("house-b")

    assert not Progress.objects.filter(group="house-b").exists()


def test_a_relay_that_fills_a_log_while_a_group_is_made_makes_it_handle_nothing_old(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It notes a batch after the log and the outbox were asked for their ends."""
    house.handler("house-a")
    house.say(*OLD, *OLD)
    house.settle()
    lock = log_generations.lock

    with filled_by_halves(monkeypatch, replaced) as filler:

        def lock_late(topics: Any) -> None:
            filler.step()
            lock(topics)

        with monkeypatch.context() as patch:
            patch.setattr(log_generations, "lock", lock_late)
            house.handler("house-b")

    begins_with_new(house)
