"""A pytest session that runs the contract's cases under faults, and the table of what came of it."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections

from eventbus.database.sqlite3 import base
from tests.eventbus.faults.planting import DoesNotFit, Fault

UNTIL_SECONDS = 2  # what a lie prevents never comes: a case need not wait long to know
CASE_SECONDS = 15  # a case that a lie keeps going for so long has failed
AGAIN_SECONDS = 5  # what stops it is raised again: in a place that swallows all, as a destructor, it would be lost
ROUNDS_MAX = 300  # of settle(), more than any case needs: under a lie the bus may never be quiet

CAUGHT, MISSED = "caught", "missed"
Table = dict[str, dict[str, str]]  # {fault: {case: CAUGHT or MISSED}}


class TooLong(BaseException):
    """The case is stopped. No Exception, lest the bus take it for a handler's."""


class FaultySession:
    """A plugin: multiplies each case by the faults that it should catch, or by all, and notes how each ended.

    `errors` says which faults could not be planted, and which left something broken behind.
    """

    def __init__(self, faults: Sequence[Fault], *, everything: bool = False) -> None:
        self.cases: list[str] = []
        self.table: Table = {fault.name: {} for fault in faults}
        self.errors: list[str] = []
        self._faults, self._everything = faults, everything

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if metafunc.cls is None or metafunc.function.__qualname__.startswith(f"{metafunc.cls.__name__}."):
            return  # the backend's own, none of the contract's
        case = case_of(metafunc.function)
        self.cases.append(case)
        faults = [fault for fault in self._faults if fault.only in ("", connection.vendor)]
        meant = [fault for fault in faults if self._everything or case in fault.fails]
        metafunc.parametrize("planted", meant, ids=[fault.name for fault in meant], indirect=True)

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        items[:] = [item for item in items if fault_of(item) is not None]

    @pytest.fixture(autouse=True)
    def planted(self, request: pytest.FixtureRequest, transactional_db: None) -> Fault:
        """Only to multiply: the lie is told while the case itself runs."""
        return request.param

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Function) -> Iterator[None]:
        fault = fault_of(item)
        assert fault is not None
        if self.table[fault.name].get(case_of(item.function)) == CAUGHT:
            pytest.skip("one of a case's variants is enough")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.eventbus.bus_app.DEADLINE_SECONDS", UNTIL_SECONDS)
            patch.setattr("eventbus.testing.settling.ROUNDS_MAX", ROUNDS_MAX)
            with fault.planted(), at_most(CASE_SECONDS):
                yield

    def pytest_runtest_makereport(self, item: pytest.Function, call: pytest.CallInfo[None]) -> None:
        fault, case = fault_of(item), case_of(item.function)
        assert fault is not None
        if call.excinfo is not None and (call.when != "call" or call.excinfo.errisinstance(DoesNotFit)):
            self.errors.append(f"{fault.name}, {case}: {call.excinfo.value}")
        elif call.when == "call":
            outcomes = self.table[fault.name]
            if outcomes.get(case) != CAUGHT:
                outcomes[case] = CAUGHT if call.excinfo is not None else MISSED


def case_of(function: Callable[..., Any]) -> str:
    """A case's name in tables and faults."""
    return function.__name__.removeprefix("test_")


def fault_of(item: pytest.Function) -> Fault | None:
    """The fault under which it runs, if it is one of the contract's cases."""
    fault = item.callspec.params.get("planted") if hasattr(item, "callspec") else None
    return fault if isinstance(fault, Fault) else None


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TooLong after so long, wherever it is: also between taking a lock and noting that it is held."""

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        yield
    except TooLong:
        signal.setitimer(signal.ITIMER_REAL, 0)
        connections.close_all()  # a statement may have been on its way
        base._queues.clear()  # else each case that follows waits for a turn that nobody gives back
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
