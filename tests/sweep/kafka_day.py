"""A day over a real Kafka: topics and groups of its own, and who disturbs them.

Clients have threads, which do not survive a fork: each life makes its own, and whoever forks lives makes none.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import TopicPartition as Place
from django.db.models import Min

from eventbus import backends, registry
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.reading import consumer
from eventbus.errors import LogUnavailable
from eventbus.models import InboxRow, OutboxRow, Progress, TopicLog
from eventbus.recovery import topic_recovery
from eventbus.repairs.republishing import republish
from tests.kafka.groups import members
from tests.sweep.run import PRUNED, Run
from tests.waiting import until

CLIENTS = {
    "session.timeout.ms": 1_000,  # so late a life is missed that was killed; the least that tests.kafka's brokers allow
    "heartbeat.interval.ms": 100,  # so late a reader hears that partitions move
    "fetch.wait.max.ms": 20,
    "topic.metadata.refresh.interval.ms": 300,  # so late a reader hears of a topic that was made anew
}
LOOK_SECONDS = 0.1  # between looks whether a log was lost
REOPEN_SECONDS = 0.02
WAIT_SECONDS = 60  # for brokers on a busy machine
AGAIN_SECONDS = 0.05  # between two looks of a wait that has a deadline
FLOODED = "orders"  # the topic that is lost, and said again: most groups read it
MOVED = "orders"  # the group that gets a second reader for a moment: it reads several topics
ASLEEP_MS = 1_000  # so long a reader may not ask for records; no less than its session
EVER = datetime(2000, 1, 1, tzinfo=UTC)


def unsay_everything() -> None:
    """The template's events are still to be sent: each day has a log of its own, with nothing in it."""
    OutboxRow.objects.update(partition=None, offset=None, appended_at=None)
    InboxRow.objects.all().delete()
    Progress.objects.update(start=0, offset=0, handled=0, ignored=0, discarded=0)


def begin(run: Run) -> None:
    """This process's bus is Kafka, with the run's own topics; those that are missing are made."""
    hurry: Any = topic_recovery
    hurry.LOOK_SECONDS = LOOK_SECONDS
    hurry = consumer
    hurry.REOPEN_SECONDS = REOPEN_SECONDS
    backend = bus_of(run)
    backends.use(backend)
    backend.provision(registry.topics())


def bus_of(run: Run, **clients: Any) -> KafkaBackend:
    prefix = f"{run.folder.parent.name}.{run.folder.name}."
    return KafkaBackend(servers=run.servers, prefix=prefix, partitions=1, clients=CLIENTS | clients)


def bus() -> KafkaBackend:
    backend = backends.current()
    assert isinstance(backend, KafkaBackend)
    return backend


def clear_away() -> None:
    """The day is over, and nobody needs its topics."""
    delete(registry.topics())


def delete(names: list[str]) -> None:
    answers = bus()._admin_client().delete_topics([bus().topics.name(name) for name in names])
    for answer in answers.values():
        answer.result(WAIT_SECONDS)


# --- who disturbs ----------------------------------------------------------------------------------------------------


def say_again(folder: Path) -> bool:
    """An operator wants in the log again what was told in a topic, once."""
    return once(folder / "said-again", lambda: republish(bus(), FLOODED, EVER, "operator"))


def flood(run: Run) -> bool:
    """The brokers lose all of a topic, and somebody makes it anew; once, or again where the site died meanwhile.

    Only after the janitor: of what is appended again he would find nothing old enough to prune.
    """

    def lose() -> None:
        if bus().topics.counts([FLOODED]):
            delete([FLOODED])
        wait_until(lambda: not bus().topics.counts([FLOODED]))
        bus().provision([FLOODED])

    if not (run.folder / PRUNED).exists():
        return False
    return once(run.folder / "flooded", lose)


def let_retention_end() -> None:
    """The brokers forget what every group has passed, but the newest of each topic."""
    ends = bus().ends(bus().partitions(registry.topics()))
    passed = Progress.objects.values("topic").annotate(by_all=Min("offset")).values_list("topic", "by_all").order_by()
    keep = {place: min(dict(passed).get(place.topic, 0), max(0, end - 1)) for place, end in ends.items()}
    asked = [Place(bus().topics.name(place.topic), place.partition, begin) for place, begin in keep.items()]
    for answer in bus()._admin_client().delete_records(asked).values():
        answer.result(WAIT_SECONDS)


def is_a_loss_unseen() -> bool:
    """Whether the bus has still to see that its log is another one: until then our tables say that all is well."""
    try:
        there = bus().generations(registry.topics())
    except LogUnavailable:
        return True
    known = dict(TopicLog.objects.values_list("topic", "generation"))
    return known != {topic: there.get(topic) for topic in known}


def lend_a_hand(run: Run) -> bool:
    """A second reader of a group comes, is given partitions, falls asleep until it is thought dead, and goes; once."""

    def come_and_go() -> None:
        another = bus_of(run, **{"max.poll.interval.ms": ASLEEP_MS})
        try:
            reader: Any = another.consumer(registry.groups[MOVED].topics, MOVED)
            wait_until(lambda: bool(reader.assignment()))
            given = reader.generation
            with reader._assigned.lock:  # which its thread needs to go on
                wait_until(lambda: len(members(run.servers, bus()._named(MOVED))) < 2)
            wait_until(lambda: reader.generation > given)
        finally:
            another.close()

    return once(run.folder / "lent-a-hand", come_and_go)


def once(done: Path, do: Callable[[], object]) -> bool:
    if done.exists():
        return False
    do()
    done.touch()
    return True


wait_until = partial(until, what="Kafka", seconds=WAIT_SECONDS, look=AGAIN_SECONDS)
