"""What happened in the shop decides how it ends, not which bus told of it: in memory or over Apache Kafka (I6).

RANDOM_SEED chooses the days, RANDOM_DAYS how many. A backend with a fault planted must be found out.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.test import override_settings
from msgspec.structs import replace

from eventbus.backends.base import Consumer
from eventbus.errors import LogTruncated
from eventbus.events import Record
from tests.journeys.machine.day_end import differences, ending
from tests.journeys.machine.environment import PARTITIONS, laid, undone
from tests.journeys.machine.on_kafka import (
    StayingReader,
    begin_where_the_log_ends,
    bus_on_kafka,
    pass_over_what_was_undone,
)
from tests.journeys.machine.traces import Player, Trace, draw

pytestmark = pytest.mark.days

SEED = int(os.environ.get("RANDOM_SEED", "1"))
DAYS = 20  # `make traces` plays a hundred
DAYS_UNTIL_FOUND = 5  # a planted fault shows itself within a few
FORGOTTEN_DAYS_MAX = 10  # every third day is an operator's, on half of those the database is restored
RECORDS_BETWEEN_FAULTS = 10  # at one reader; a day's busiest one has some thirty
IN_MEMORY = {"BACKEND": "eventbus.backends.memory.MemoryBackend", "OPTIONS": {"partitions": PARTITIONS}}
# What people come to on some of these days: without it, that the ends are the same would say little.
SEEN = (
    *("paid", "shipped", "cancelled stock_rejected", "cancelled payment_timeout", "cancelled customer"),
    *("cancelled staff", "gets back", "declined", "expired", "reserved", "committed", "released"),
)


def endings(traces: list[Trace], typed: Counter[str] | None = None) -> Iterator[list[str]]:
    """How each day ends, on the bus of this process. What operators did is counted in `typed`."""
    with undone():
        begin_where_the_log_ends()
        with laid() as floor:
            floor.typed = Counter() if typed is None else typed
            for trace in traces:
                random.seed(0)  # for how long a retry waits
                player = Player(floor)
                with player.day:
                    pass_over_what_was_undone()
                    player.play(trace)
                    end = ending(floor.company)
                yield end


def in_memory(traces: list[Trace]) -> list[list[str]]:
    """How they end there."""
    with override_settings(EVENTBUS=IN_MEMORY):
        return list(endings(traces))


def play_over_kafka(
    traces: list[Trace], ended: list[list[str]], kafka: str, reader: type = StayingReader
) -> Counter[str]:
    """Fails at the first one that ends otherwise than it `ended`, with what happened. What operators did, counted."""
    typed: Counter[str] = Counter()
    played = closing(endings(traces, typed))
    with override_settings(EVENTBUS=IN_MEMORY), bus_on_kafka(kafka, reader), played as over_kafka:
        for trace, one, other in zip(traces, ended, over_kafka, strict=True):
            lines = ["It ended in memory (-) and over Kafka (+):", *differences(one, other), "What happened:"]
            assert one == other, "\n".join([*lines, *map(str, trace)])
    return typed


def test_random_days_end_the_same_in_memory_and_over_kafka(db: None, kafka: str) -> None:
    days = int(os.environ.get("RANDOM_DAYS", DAYS))
    print(f"{days} days. The same again: RANDOM_SEED={SEED} RANDOM_DAYS={days} make traces")
    traces = draw(days, seed=SEED)
    ended = in_memory(traces)

    typed = play_over_kafka(traces, ended, kafka)

    assert len(ended) == days
    assert typed["forgotten"] >= days // FORGOTTEN_DAYS_MAX, typed  # the log was ahead of a restored database
    said = "\n".join(line for lines in ended for line in lines)
    assert [what for what in SEEN if what not in said] == []


# --- planted faults ------------------------------------------------------------------------------------------------


class Forgetful(StayingReader):
    """Loses a record now and then."""

    def __init__(self, reader: Consumer) -> None:
        super().__init__(reader)
        self._fetched = 0

    def fetch(self, records_max: int) -> list[Record]:
        kept = []
        for record in super().fetch(records_max):
            self._fetched += 1
            if self._fetched % RECORDS_BETWEEN_FAULTS:
                kept.append(record)
        return kept


class Hasty(StayingReader):
    """Brings the last of what waits first."""

    def fetch(self, records_max: int) -> list[Record]:
        records = super().fetch(records_max)
        places = [record.offset for record in records]
        hasty = [*records[-1:], *records[:-1]]
        return [replace(record, offset=place) for place, record in zip(places, hasty, strict=True)]


def test_a_reader_of_kafka_with_a_fault_is_found_out(db: None, kafka: str) -> None:
    traces = draw(DAYS_UNTIL_FOUND, seed=SEED)
    ended = in_memory(traces)

    with pytest.raises(AssertionError, match="It ended in memory"):
        play_over_kafka(traces, ended, kafka, Forgetful)
    with pytest.raises(LogTruncated, match="was the offset of another event"):
        play_over_kafka(traces, ended, kafka, Hasty)
