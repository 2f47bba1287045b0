"""A backend that injects every fault which a backend may have, and no fault that the interface rules out.

It wraps another backend. A seed decides when it drops a connection, crashes, delivers late or again, or changes the
order of events with different keys. It loses no event and keeps each key's order. So if a test fails, the code that
handles the events is wrong.

    def test_a_rough_night_reserves_once(bus):
        with inject_faults(seed=7) as faults:
            place_order(ORDER)
            settle()
            faults.quiet()
            settle()

        assert faults.did.total()
        assert [told.order_id for told in published_events(StockReserved)] == [ORDER]

A whole site can run on it through settings.EVENTBUS, with a database of its own. There it injects no crashes: nothing
in a site starts a dead process again, as `settle` does in a test. Kill the site's processes instead.

    EVENTBUS = {
        "BACKEND": "eventbus.testing.fault_injection.FaultInjectingBackend",
        "OPTIONS": {"seed": 7, "backend": "eventbus.backends.memory.MemoryBackend", "options": {"partitions": 2}},
    }
"""

import random
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.module_loading import import_string

from eventbus import backends, registry
from eventbus.backends.base import Backend, Consumer, TopicPartition, Unsent
from eventbus.backends.log_description import LogDescription
from eventbus.events import Record
from eventbus.models import OutboxRow, Progress
from eventbus.testing.settling import ConnectionDropped, Crash, forget

# The probability of each fault where it can happen. Each is high enough to occur in every test of a few events.
RATES = {
    "drop": 0.05,  # the connection drops, at append, fetch or commit
    "crash": 0.03,  # the process crashes there
    "setback": 0.5,  # after a crash at commit, the group's offset is set back: it gets earlier events again
    "delay": 0.15,  # a fetch returns nothing, or less than there is
    "repeat": 0.15,  # records that were fetched before are fetched again
    "shuffle": 0.5,  # events of several keys reach the log in another order; that of each key stays
}

STRETCHES_MAX = 50  # remembered fetches of a partition: with more, most repeats would be of events handled long ago


class FaultInjectingBackend(Backend):
    """A backend that wraps another one and injects faults.

    `rates` changes the probabilities of faults, 0.0 to 1.0, by the names in `RATES`. `did` counts the faults by those
    names. With several threads, `seed` decides how many faults there are, not where. `backend`: the wrapped one; its
    dotted name, with its `options`, for a whole site. Raises TypeError for an unknown rate, and ValueError for a rate
    of crashes in a site.
    """

    def __init__(
        self, *, seed: int, backend: Backend | str, options: Mapping[str, Any] | None = None, **rates: float
    ) -> None:
        in_site = isinstance(backend, str)
        self.inner: Backend = import_string(backend)(**(options or {})) if isinstance(backend, str) else backend
        self.in_process, self.topics = self.inner.in_process, self.inner.topics
        self.did: Counter[str] = Counter()
        if unknown := rates.keys() - RATES.keys():
            raise TypeError(
                f"The fault injection does not know {', '.join(sorted(unknown))}: it knows {', '.join(RATES)}"
            )
        if in_site and rates.get("crash"):
            raise ValueError("In a site nobody begins a dead process anew: leave `crash` out, and kill its processes")
        self.rates = RATES | ({"crash": 0.0} if in_site else {}) | rates
        self._chance = random.Random(seed)
        self._quiet = False
        self._lock = threading.Lock()

    def quiet(self) -> None:
        """Inject no more faults, so that all can settle; `resume` goes on."""
        self._quiet = True

    def resume(self) -> None:
        """Inject faults again."""
        self._quiet = False

    def strikes(self, deed: str) -> bool:
        """Decide at random if this fault happens now, and count it. Returns True if it does."""
        with self._lock:
            struck = not self._quiet and self._chance.random() < self.rates[deed]
            self.did[deed] += struck
        return struck

    def draw(self, count: int) -> int:
        """Return a random number below `count`."""
        with self._lock:
            return self._chance.randrange(count)

    def trip(self) -> None:
        """Drop the connection or crash here, each with its probability."""
        self.break_off()
        if self.strikes("crash"):
            raise Crash

    def break_off(self) -> None:
        """Drop the connection here with its probability."""
        if self.strikes("drop"):
            raise ConnectionDropped("fault injection broke the connection")

    def append(self, rows: Sequence[Unsent], fence: Callable[[], None]) -> None:
        self.trip()
        self.inner.append(self._shuffled(rows) if self.strikes("shuffle") else rows, fence)
        self.trip()

    def _shuffled(self, rows: Sequence[Unsent]) -> list[Unsent]:
        """Return the rows in another order that keeps the order of each key."""
        waiting: defaultdict[tuple[str, str], list[Unsent]] = defaultdict(list)
        for row in reversed(rows):
            waiting[row.topic, row.key].append(row)
        keys = [(row.topic, row.key) for row in rows]
        with self._lock:
            self._chance.shuffle(keys)
        return [waiting[key].pop() for key in keys]

    def consumer(self, topics: Iterable[str], group: str | None = None) -> Consumer:
        return FaultInjectingConsumer(self, self.inner.consumer(topics, group), group)

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        return self.inner.partitions(topics)

    def refuse_settings(self) -> None:
        self.inner.refuse_settings()

    def provision(self, topics: Iterable[str]) -> list[str]:
        return self.inner.provision(topics)

    def generations(self, topics: Iterable[str]) -> dict[str, str]:
        return self.inner.generations(topics)

    def strays(self, topic: str, beat: Callable[[], None]) -> dict[int, int]:
        return self.inner.strays(topic, beat)

    def waits(self, partition: TopicPartition, offset: int, before: datetime) -> bool:
        return self.inner.waits(partition, offset, before)

    def other_sites(self, groups: Iterable[str]) -> list[str]:
        return self.inner.other_sites(groups)

    def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return self.inner.ends(partitions)

    def ends_now(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return self.inner.ends_now(partitions)

    def describe(self, topics: Collection[str], seconds: float) -> LogDescription:
        return self.inner.describe(topics, seconds)

    def tail(self, topic: str, begins: Mapping[int, int], beat: Callable[[], None]) -> Iterator[Record]:
        return self.inner.tail(topic, begins, beat)

    def exposed(self) -> str:
        return self.inner.exposed()

    def earliest_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return self.inner.earliest_offsets(partitions)

    def seen(self) -> int:
        return self.inner.seen()

    def wait(self, seen: int, seconds: float) -> None:
        self.inner.wait(seen, seconds)

    def wake(self) -> None:
        self.inner.wake()

    def reset(self) -> None:
        self.inner.reset()


class FaultInjectingConsumer(Consumer):
    """The consumer of a group or of a watch, with injected faults.

    The connection of a watch, which has no group, drops and its fetches are delayed. No record is repeated for it.
    """

    def __init__(self, faults: FaultInjectingBackend, inner: Consumer, group: str | None) -> None:
        self._injector, self._inner, self._group = faults, inner, group
        # First offsets of the earlier fetches of this consumer. No record from before them is repeated.
        self._begun: defaultdict[TopicPartition, deque[int]] = defaultdict(lambda: deque(maxlen=STRETCHES_MAX))

    def assignment(self) -> list[TopicPartition]:
        return self._inner.assignment()

    @property
    def generation(self) -> int:
        return self._inner.generation

    def unsought(self) -> list[TopicPartition]:
        return self._inner.unsought()

    def unseek(self) -> None:
        self._inner.unseek()

    def withhold(self, partition: TopicPartition) -> None:
        self._begun.pop(partition, None)
        self._inner.withhold(partition)

    def catch_up(self, seconds: float) -> None:
        self._inner.catch_up(seconds)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._inner.seek(partition, offset)

    def fetch(self, records_max: int) -> list[Record]:
        if self._group is None:
            return self._fetch_for_a_watch(records_max)
        self._injector.trip()
        if self._begun and self._injector.strikes("repeat"):
            partition = list(self._begun)[self._injector.draw(len(self._begun))]
            self._inner.seek(partition, self._earlier(partition))
        records = self._inner.fetch(records_max)
        if records and self._injector.strikes("delay"):
            records = self._put_back(records)
        if records:
            first = records[0]
            self._begun[TopicPartition(first.topic, first.partition)].append(first.offset)
        return records

    def _fetch_for_a_watch(self, records_max: int) -> list[Record]:
        self._injector.break_off()
        return [] if self._injector.strikes("delay") else self._inner.fetch(records_max)

    def _put_back(self, records: list[Record]) -> list[Record]:
        """Return only the first records, or none, and seek back.

        The rest comes later, perhaps after records of other partitions.
        """
        some = self._injector.draw(len(records))
        rest = records[some]
        self._inner.seek(TopicPartition(rest.topic, rest.partition), rest.offset)
        return records[:some]

    def _earlier(self, partition: TopicPartition) -> int:
        begun = self._begun[partition]
        return begun[self._injector.draw(len(begun))]

    def commit(self, partition: TopicPartition, offset: int) -> None:
        self._inner.commit(partition, offset)
        self._injector.break_off()
        if self._injector.strikes("crash"):
            if self._group is not None and self._injector.strikes("setback"):
                self._set_back(partition)
            raise Crash

    def _set_back(self, partition: TopicPartition) -> None:
        """Set a group's offset back to an earlier fetch, as a restore would.

        Only the inbox still knows the handled events. Ignored events have no row there and are counted again, so their
        count goes back too.
        """
        earlier, rows = self._earlier(partition), {"topic": partition.topic, "partition": partition.partition}
        with transaction.atomic():
            progress = Progress.objects.select_for_update().get(group=self._group, **rows)
            again = OutboxRow.objects.filter(**rows, offset__gte=earlier, offset__lt=progress.offset)
            ignored = again.exclude(type__in=registry.groups[progress.group].handlers).count()
            Progress.objects.filter(id=progress.pk).update(offset=earlier, ignored=F("ignored") - ignored)

    def at_work(self) -> AbstractContextManager[None]:
        return self._inner.at_work()

    def close(self) -> None:
        self._inner.close()


@contextmanager
def inject_faults(*, seed: int, **rates: float) -> Iterator[FaultInjectingBackend]:
    """Wrap the process's backend with injected faults while the context is open."""
    faults = FaultInjectingBackend(seed=seed, backend=backends.current(), options=None, **rates)
    forget()
    backends.use(faults)
    try:
        yield faults
    finally:
        forget()
        backends.use(faults.inner)
