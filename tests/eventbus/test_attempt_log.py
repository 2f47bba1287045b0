"""An operator reads in the log how an event fails: each attempt with what follows, and at last its dead letter."""

import logging
import re
import threading
from collections.abc import Callable

import pytest

from eventbus import Permanent, ServiceUnavailable
from eventbus.events import Record
from eventbus.failures import similar_warnings
from eventbus.failures.similar_warnings import Warnings
from eventbus.ids import uuid7
from tests.eventbus.bus_app import House, Mended, Noted

EVENTS = 2_000
RECORD = Record(
    topic="house",
    partition=0,
    offset=0,
    key="vase",
    type="house.noted.v1",
    event_id=uuid7(),
    payload=b"{}",
    headers="{}",
)


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


def test_the_warning_names_the_time_at_which_the_next_try_is_due(
    house: House, bus_clock, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Mended("vase")
    house.handler("house-a", broken, backoff=(100.0, 100.0))
    house.say(("vase", 1))
    house.settle()
    [record] = [one for one in caplog.records if "next try in" in one.getMessage()]
    seconds = float(re.findall(r"next try in ([\d.]+) s", record.getMessage())[0])

    bus_clock.advance(seconds=max(0.0, seconds - 0.1))
    house.settle()
    assert broken.calls == 1
    bus_clock.advance(seconds=0.2)
    house.settle()

    assert broken.calls == 2


def test_a_failure_without_a_second_try_says_so(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.handler("house-a", Mended("vase", error=Permanent("broken")), on_dead="skip")
    house.say(("vase", 1))

    house.settle()

    [warning] = lines(caplog, logging.WARNING)
    assert "attempt 1 of 8, and the last: Permanent" in warning
    assert len(lines(caplog, logging.ERROR)) == 1


def test_a_service_that_is_unavailable_costs_no_attempt(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.effect("post", Refusing(), on_unknown_outcome="retry")
    house.say(("vase", 1))

    house.settle()

    [warning] = lines(caplog, logging.WARNING)
    assert "which counts as no attempt, next try in N s: ServiceUnavailable" in warning


class Refusing:
    """An effect whose service takes no request."""

    def __call__(self, event: object, *, idempotency_key: str) -> None:
        raise ServiceUnavailable("the mail server is away")


def test_two_thousand_failures_alike_are_one_warning_now_and_one_when_the_minute_is_over(
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


def test_failures_that_go_on_are_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    warnings = Warnings("house-a", monotonic=lambda: now[0])

    for now[0] in range(150):
        warnings.failed(RECORD, ValueError(), "attempt 1 of 8")

    ends = [line.rpartition(": ")[2] for line in lines(caplog, logging.WARNING)]
    rest = "ValueError; the last of {} similar failures since the warning before"
    assert ends == ["ValueError", rest.format(59), rest.format(60)]
    assert [record.exc_info is not None for record in caplog.records] == [True, True, True]


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
