"""An operator reads in the log how an event fails: each attempt with what follows, and at last its dead letter."""

import logging
import re
import threading
from collections.abc import Callable

import pytest

from eventbus import Permanent
from eventbus.failures import similar_warnings
from tests.eventbus.bus_app import House, Mended, Noted

EVENTS = 200


@pytest.fixture
def minute_over(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it once the minute of the last warning is over: from then on each failure is a line."""
    return lambda: monkeypatch.setattr(similar_warnings, "ALIKE_SECONDS", 0.0)


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """The lines of the bus about failed events. Seconds are left out: they are drawn."""
    records = [one for one in caplog.records if one.levelno == level and one.name.startswith("eventbus.failures")]
    return [re.sub(r"\d+\.\d s", "N s", record.getMessage()) for record in records]


def test_each_failed_attempt_is_a_warning_and_the_dead_letter_one_error(
    house: House, bus_clock, minute_over: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    minute_over()
    house.handler("house-a", Mended("vase", error=ValueError("card 4242")), attempts=3)
    [event_id] = house.say(("vase", 1))

    for _ in range(4):
        house.settle()
        bus_clock.advance(hours=1)

    told = f"Group house-a failed on house.noted.v1 {event_id} (key vase), attempt"
    assert lines(caplog, logging.WARNING) == [
        f"{told} 1 of 3, next try in N s: ValueError",
        f"{told} 2 of 3, next try in N s: ValueError",
        f"{told} 3 of 3, and the last: ValueError",
    ]
    [error] = lines(caplog, logging.ERROR)
    assert error.startswith(f"Group house-a gave up house.noted.v1 {event_id} (key vase) after 3 attempts")


def test_two_hundred_failures_alike_are_one_warning_now_and_one_when_the_minute_is_over(
    house: House,
    minute_over: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: Noted) -> None:
        raise Permanent("broken")

    monkeypatch.setattr(similar_warnings, "ALIKE_SECONDS", float("inf"))  # however long they take
    house.handler("house-a", fail, on_dead="skip")
    ids = house.say(*(("vase", number) for number in range(EVENTS)))
    house.settle()
    told = "Group house-a failed on house.noted.v1 {} (key vase), attempt 1 of 8, and the last: Permanent"
    assert lines(caplog, logging.WARNING) == [told.format(ids[0])]
    assert len(lines(caplog, logging.ERROR)) == EVENTS

    minute_over()
    house.settle()

    rest = f"; the last of {EVENTS - 1} similar failures since the warning before"
    assert lines(caplog, logging.WARNING) == [told.format(ids[0]), told.format(ids[-1]) + rest]


def test_a_worker_that_stops_tells_what_it_has_only_counted(house: House, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()

    def fail(event: Noted) -> None:
        if event.number == 2:
            stop.set()
        raise Permanent("broken")

    house.handler("house-a", fail, on_dead="skip")
    house.say(("vase", 1), ("vase", 2))
    house.relay()

    house.worker("house-a", stop).run()

    [_, warning] = lines(caplog, logging.WARNING)
    assert warning.endswith("Permanent; the last of 1 similar failures since the warning before")
