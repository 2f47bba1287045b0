"""Kafka is restored to an earlier time than the database, under its old ids: its end is gone, and nobody is told so."""

import json
import logging
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from eventbus import watches
from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.consuming.watching import Watch
from eventbus.errors import LogUnavailable
from eventbus.failpoints import FailedHere, armed
from eventbus.models import OutboxRow, Progress, TopicLog
from eventbus.processes.dispatcher import Dispatcher
from eventbus.progress.log_generations import UNKNOWN
from eventbus.publishing.relay import _UNSENT, Relay
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, append_from_elsewhere
from tests.eventbus.restore_steps import Heard, await_brokers, hearing, of
from tests.eventbus.test_commands import a_living_dispatcher, run
from tests.kafka import Cluster
from tests.kafka.backups import back_up_broker, restore_broker
from tests.waiting import until

pytestmark = pytest.mark.cluster

KEPT = [("vase", number) for number in range(1, 9)]  # what the copy of the brokers' disk has
LOST = [("vase", 9), ("chair", 1), ("vase", 10)]  # what came after it was made
LATER = [("vase", 11), ("chair", 2)]
AS_MANY = [("vase", 11), ("vase", 12), ("vase", 13), ("chair", 2)]  # as were lost, and more
SOON_SECONDS = 60.0  # a client that is not replaced reads nothing for several minutes, or never again


@pytest.fixture
def heard(fresh_log: KafkaBackend, house: House) -> Heard:
    return hearing(house)


@pytest.fixture
def running(heard: Heard, house: House) -> Iterator[Dispatcher]:
    """Relay and workers of a site, which go on through all that happens."""
    with closing(Dispatcher.start_in_process()) as dispatcher:
        until(dispatcher.active.is_set, "a relay")
        yield dispatcher


@pytest.fixture
def kept(fresh_kafka: Cluster, tmp_path: Path) -> Path:
    return tmp_path / "kept"


class Page:
    """Who watches, and loads anew what it shows when it is told to."""

    def __init__(self) -> None:
        self.heard: Heard = []
        self.loaded = 0

    def watch(self) -> Watch:
        return watches(Noted, call=self.hear, reset=self.load)

    def hear(self, events: list[Noted]) -> None:
        self.heard += [(event.name, event.number) for event in events]

    def load(self) -> None:
        self.loaded += 1


def offsets() -> list[Any]:
    return list(OutboxRow.objects.filter(topic=Noted.topic).order_by("id").values_list("offset", flat=True))


def test_a_log_that_lost_its_end_is_filled_again_though_nobody_publishes_and_read_by_new_clients(
    fresh_kafka: Cluster, running: Dispatcher, house: House, heard: Heard, kept: Path, caplog: Any
) -> None:
    [broker], page = fresh_kafka.brokers, Page()
    house.say(*KEPT)
    until(lambda: len(heard) == len(KEPT), "what the copy has is handled", seconds=WAIT_SECONDS)
    back_up_broker(broker, kept)
    with closing(page.watch()):
        house.say(*LOST)
        until(lambda: len(heard) == len(KEPT + LOST), "the rest as well", seconds=WAIT_SECONDS)
        until(lambda: len(page.heard) >= len(LOST), "the page hears it", seconds=WAIT_SECONDS)
        before = offsets()

        restore_broker(broker, kept)

        until(lambda: None not in offsets() != before, "it is appended again", seconds=SOON_SECONDS)
        loads, page.heard = page.loaded, []
        house.say(*LATER)
        until(lambda: len(heard) >= len(KEPT + LOST + LATER), "a group reads on", seconds=SOON_SECONDS)
        until(lambda: set(LATER) <= set(page.heard), "a page hears what is new", seconds=SOON_SECONDS)

    assert of(heard, "vase") == list(range(1, 12))
    assert sorted(heard) == sorted(KEPT + LOST + LATER), "each once"
    assert loads + page.loaded > 0, "the page was told to load anew"
    assert delivery_audit.problems(delivery_audit.read()) == []
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert any(one.startswith("The log went back to an earlier time: house/") for one in told)


def test_a_group_handles_nothing_that_took_the_place_of_what_it_has_not_read(
    fresh_kafka: Cluster, fresh_log: KafkaBackend, house: House, heard: Heard, kept: Path
) -> None:
    """The relay had as much in hand as was lost, and dies before it compares the places: the next one sees no loss."""
    [broker], relay = fresh_kafka.brokers, Relay(fresh_log)
    house.say(*KEPT)
    house.settle()
    back_up_broker(broker, kept)
    await_brokers(fresh_log)
    house.say(*LOST)
    house.relay()
    before = offsets()
    restore_broker(broker, kept)
    await_brokers(fresh_log)
    house.say(*AS_MANY)
    in_hand = relay._unsent(_UNSENT)
    with (
        closing(KafkaBackend(servers=fresh_kafka.bootstrap_servers)) as other,
        armed("append.acknowledged=error"),
        pytest.raises(FailedHere),
    ):
        other.append(in_hand, lambda: None)
    relay.begin()
    until(lambda: has_sent(relay), "the next relay has sent it as well", seconds=SOON_SECONDS)
    assert offsets()[: len(before)] == before, "and has filled nothing again"
    worker = house.worker()

    with pytest.raises(LogUnavailable, match="was the offset of another event"):
        house.step(worker)
    assert sorted(heard) == sorted(KEPT)
    worker.leave()
    until(lambda: has_sent(relay) and not TopicLog.objects.filter(generation=UNKNOWN), "the log is filled again")
    until(lambda: has_sent(relay), "all of it is sent again", seconds=SOON_SECONDS)
    house.restart()
    house.settle()

    assert of(heard, "vase") == list(range(1, 14))
    assert sorted(heard) == sorted(KEPT + LOST + AS_MANY), "each once"
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_relay_appends_nothing_after_brokers_were_away_until_it_has_seen_where_their_logs_end(
    fresh_kafka: Cluster, fresh_log: KafkaBackend, house: House, heard: Heard, kept: Path
) -> None:
    [broker], relay = fresh_kafka.brokers, Relay(fresh_log)
    house.say(*KEPT)
    relay.step()
    back_up_broker(broker, kept)
    await_brokers(fresh_log)
    house.say(*LOST)
    until(lambda: has_sent(relay), "the rest is sent", seconds=WAIT_SECONDS)
    broker.kill()
    house.say(*LATER)
    with pytest.raises(LogUnavailable):
        relay.step()
    restore_broker(broker, kept)
    await_brokers(fresh_log)

    with pytest.raises(LogUnavailable, match="is to be seen first"):
        relay.step()
    assert sum(fresh_log.ends(fresh_log.partitions([Noted.topic])).values()) == len(KEPT)
    until(lambda: has_sent(relay), "all of it is sent again", seconds=SOON_SECONDS)
    house.restart()
    house.settle()

    assert of(heard, "vase") == list(range(1, 12))
    assert sorted(heard) == sorted(KEPT + LOST + LATER), "each once"


def has_sent(relay: Relay) -> bool:
    """Whether nothing waits any more, after one more try."""
    with suppress(LogUnavailable):
        relay.step()
    return None not in offsets()


def test_a_watch_reads_on_where_no_relay_runs(
    fresh_kafka: Cluster, fresh_log: KafkaBackend, house: House, kept: Path
) -> None:
    """The relay of another site appends what is new."""
    [broker], page = fresh_kafka.brokers, Page()
    house.say(*KEPT)
    house.relay()
    back_up_broker(broker, kept)
    with closing(page.watch()):
        house.say(*LOST)
        house.relay()
        until(lambda: len(page.heard) == len(LOST), "the page hears it", seconds=WAIT_SECONDS)
        restore_broker(broker, kept)

        until(lambda: page.loaded, "it loads anew", seconds=SOON_SECONDS)
        page.heard.clear()
        with closing(KafkaBackend(servers=fresh_kafka.bootstrap_servers)) as other:
            house.say(("lamp", 1), ("lamp", 2))
            append_from_elsewhere(other)

        until(lambda: page.heard == [("lamp", 1), ("lamp", 2)], "it hears what is new", seconds=SOON_SECONDS)


def test_status_names_the_log_that_went_back_and_the_command_leads_through(
    fresh_kafka: Cluster, fresh_log: KafkaBackend, house: House, heard: Heard, kept: Path
) -> None:
    [broker] = fresh_kafka.brokers
    Progress.objects.exclude(group="house-a").delete()  # what the site's groups read is not on this broker
    relay = Relay(fresh_log)
    house.say(*KEPT)
    house.settle()
    back_up_broker(broker, kept)
    await_brokers(fresh_log)
    house.say(*LOST)
    house.settle()
    house.restart()
    restore_broker(broker, kept)
    await_brokers(fresh_log)

    with a_living_dispatcher():
        code, said, complaint = run("eventbus", "status", "--json")
    [house_a] = [one for one in json.loads(said)["groups"] if one["group"] == "house-a"]
    assert (code, house_a["offset"] > house_a["end"]) == (1, True)
    assert "The log went back to an earlier time: group house-a is at " in complaint
    code, said, complaint = run("eventbus", "restored")
    assert (code, complaint) == (1, "Nothing is repaired yet: manage.py eventbus restored --apply does that.")
    assert "The log went back to an earlier time: it ends before where it had ended" in said
    code, said, complaint = run("eventbus", "restored", "--apply")
    assert (code, complaint) == (0, "")
    assert "the relay appends to the log again what the outbox has of it" in said
    relay.step()
    house.say(*LATER)
    house.settle()

    assert sorted(heard) == sorted(KEPT + LOST + LATER)
    assert of(heard, "vase") == list(range(1, 12))
    assert run("eventbus", "restored")[0] == 0
    assert not TopicLog.objects.filter(refill_to__gt=0).exists()
    assert delivery_audit.problems(delivery_audit.read()) == []
