"""An event that is alone with its broken world is blamed; while others meet the same, the world is waited for."""

from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError

from eventbus.events import Record
from eventbus.failures.poison_suspicion import Suspicion, Verdict


def event(key: str, number: int = 0) -> Record:
    event_id = UUID(int=number + ord(key[0]) * 1_000)
    return Record(
        topic="house", partition=0, offset=0, key=key, type="noted", event_id=event_id, payload=b"{}", headers="{}"
    )


def tried(suspicion: Suspicion, bus_clock: Any, *events: Record, times: int) -> list[list[Verdict]]:
    """What each was judged in turn, once every five seconds."""
    verdicts: list[list[Verdict]] = [[] for _event in events]
    for _time in range(times):
        bus_clock.advance(seconds=5)
        for said, record in zip(verdicts, events, strict=True):
            said.append(suspicion.met(record, OperationalError("canceling statement"), seconds=0.1))
    return verdicts


def test_who_is_alone_with_it_is_blamed_after_ten_tries_and_half_a_minute(bus_clock: Any) -> None:
    [verdicts] = tried(Suspicion(), bus_clock, event("vase"), times=10)

    assert Verdict.BLAMED not in verdicts[:9]
    assert verdicts[9] is Verdict.BLAMED


@pytest.mark.parametrize("keys", [("chair", "vase"), ("vase", "chair")])
def test_two_keys_that_meet_it_meanwhile_are_neither_of_them_blamed(bus_clock: Any, keys: tuple[str, str]) -> None:
    first, second = tried(Suspicion(), bus_clock, event(keys[0]), event(keys[1]), times=30)

    assert Verdict.BLAMED not in first + second


def test_later_events_of_the_same_key_excuse_nobody(bus_clock: Any) -> None:
    first, _ = tried(Suspicion(), bus_clock, event("vase", 1), event("vase", 2), times=10)

    assert first[9] is Verdict.BLAMED
