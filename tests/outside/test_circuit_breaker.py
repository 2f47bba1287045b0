"""A service that fails again and again is left alone, tried by one, and asked by all once it is well."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from outside.circuit_breaker import (
    FAILURES_MAX,
    REST_SECONDS,
    SILENCE_SECONDS,
    VISITORS_MAX,
    CircuitOpen,
    NotAnswering,
    Service,
    TooManyWaiting,
    service,
    states,
)


class Broken(Exception):
    """The service did not answer."""


class Refused(Exception):
    """It answered: no."""


@pytest.fixture
def company() -> Service:
    return Service("company", excluded=(Refused,))


def fail(company: Service, *, times: int = FAILURES_MAX, by: type[Exception] = Broken) -> None:
    for _ in range(times):
        with pytest.raises(by), company.asked():
            raise by


def ask(company: Service, **how: Any) -> str:
    with company.asked(**how):
        return "an answer"


def test_who_fails_again_and_again_is_asked_no_more(company: Service, caplog: pytest.LogCaptureFixture) -> None:
    fail(company, times=FAILURES_MAX - 1)
    assert company.state == "closed"

    fail(company, times=1)

    assert company.state == "open"
    with pytest.raises(CircuitOpen):
        ask(company)
    assert "The company does not answer" in caplog.text


def test_one_answer_between_failures_shows_that_it_is_well(company: Service) -> None:
    for _ in range(3):
        fail(company, times=FAILURES_MAX - 1)
        ask(company)

    assert company.state == "closed"


def test_who_says_no_is_well(company: Service) -> None:
    fail(company, times=FAILURES_MAX * 2, by=Refused)

    assert company.state == "closed"


def test_after_a_rest_one_question_decides(company: Service, bus_clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    fail(company)
    bus_clock.advance(seconds=REST_SECONDS - 1)
    with pytest.raises(CircuitOpen):
        ask(company)

    bus_clock.advance(seconds=2)
    fail(company, times=1)
    assert company.state == "open"

    bus_clock.advance(seconds=REST_SECONDS + 1)
    with caplog.at_level(logging.WARNING):
        assert ask(company) == "an answer"
    assert company.state == "closed"
    assert "The company answers again" in caplog.text


def test_only_one_tries_whether_it_is_well(company: Service, bus_clock: Any) -> None:
    fail(company)
    bus_clock.advance(seconds=REST_SECONDS + 1)

    with company.asked(), pytest.raises(CircuitOpen):
        ask(company)

    assert company.state == "closed"
    assert ask(company) == "an answer"


@contextmanager
def as_many_as_may_wait(company: Service) -> Iterator[None]:
    """Visitors who are answered when this ends."""
    inside, leave = threading.Semaphore(0), threading.Event()

    def wait() -> None:
        with company.asked(by_visitor=True):
            inside.release()
            leave.wait()

    visitors = [threading.Thread(target=wait) for _ in range(VISITORS_MAX)]
    for visitor in visitors:
        visitor.start()
    for _ in visitors:
        inside.acquire()
    try:
        yield
    finally:
        leave.set()
        for visitor in visitors:
            visitor.join()


def test_only_so_many_visitors_wait_for_it_and_the_work_goes_on(company: Service) -> None:
    with as_many_as_may_wait(company):
        with pytest.raises(TooManyWaiting):
            ask(company, by_visitor=True)
        assert ask(company) == "an answer"
    assert ask(company, by_visitor=True) == "an answer"


def test_who_leaves_a_crowd_without_an_answer_for_too_long_is_silent(company: Service, bus_clock: Any) -> None:
    with as_many_as_may_wait(company):
        bus_clock.advance(seconds=SILENCE_SECONDS + 0.1)
        with pytest.raises(NotAnswering):
            ask(company, by_visitor=True)
        ask(company)  # somebody is answered
        with pytest.raises(TooManyWaiting):
            ask(company, by_visitor=True)

    with as_many_as_may_wait(company), pytest.raises(TooManyWaiting):
        ask(company, by_visitor=True)


def test_each_process_can_tell_how_it_finds_its_services() -> None:
    fail(service("company", at="https://company.example"))
    ask(service("feed", at="https://feed.example"))

    assert states() == {"company": "open", "feed": "closed"}
