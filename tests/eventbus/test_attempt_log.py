"""An operator reads in the log how an event fails: each attempt with what follows, and at last its dead letter."""

import logging
import re

import pytest

from eventbus import Permanent, ServiceUnavailable
from eventbus.failures import similar_warnings
from eventbus.failures.similar_warnings import LINES_MAX
from tests.eventbus.bus_app import House, Mended


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """The lines of the bus about failed events. Seconds are left out: they are drawn."""
    records = [one for one in caplog.records if one.levelno == level and one.name.startswith("eventbus.failures")]
    return [re.sub(r"\d+\.\d s", "N s", record.getMessage()) for record in records]


def test_each_failed_attempt_is_a_warning_and_the_dead_letter_one_error(
    house: House, bus_clock, caplog: pytest.LogCaptureFixture
) -> None:
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


def test_what_was_left_out_is_counted_on_the_next_line(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house.handler("house-a", Mended("vase", error=Permanent("broken")), on_dead="skip", batch=1)
    house.say(*(("vase", number) for number in range(LINES_MAX + 2)))
    house.settle()
    assert len(lines(caplog, logging.WARNING)) == LINES_MAX

    monkeypatch.setattr(similar_warnings, "ALIKE_SECONDS", 0.0)  # the minute is over
    house.say(("vase", 99))
    house.settle()

    assert lines(caplog, logging.WARNING)[-1].endswith("Permanent; 2 more like it were left out before")
