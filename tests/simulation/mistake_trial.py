"""A pytest session in which each case runs under the mistakes that it must notice; for a process of its own.

python -m tests.simulation.mistake_trial FILE NAME...      write to FILE, as JSON, which cases noticed these mistakes
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

UNTIL_SECONDS = 2  # an event that a mistake holds up never comes: a case need not wait long to know
UNTIL_SECONDS_OVER_KAFKA = 10
CASE_SECONDS = 15  # a case that a mistake keeps going for so long has failed
CASE_SECONDS_OVER_KAFKA = 90
AGAIN_SECONDS = 5  # the error that ends it is raised again: a destructor would swallow it
HUNG_SECONDS = 180  # a case that cannot even be torn down after that ends the process, and shows where
TEXT_CHARACTERS = 200
ROUNDS_MAX = 300  # of settle(), more than any case needs
OPTIONS = ("--quiet", "--no-header", "--tb=no", "-rN", "-p", "no:cacheprovider", "-p", "no:threadexception")
OPTIONS += ("-n0", "-m", "")  # in this process, and whatever a case is marked with
OPTIONS += ("-o", f"faulthandler_timeout={HUNG_SECONDS}")


class TooLong(BaseException):
    """The case is stopped. No Exception, lest the bus take it for a handler's."""


class Trial:
    """A plugin that multiplies each case by the mistakes that it must notice.

    `noticed`: by mistake, the cases that failed, and how. `errors`: the cases that could not be set up or torn down.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.noticed: dict[str, dict[str, str]] = {name: {} for name in names}
        self.errors: list[str] = []

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        from tests.simulation.mistakes import MISTAKES  # only now: it imports models

        case, file = metafunc.function.__name__.removeprefix("test_"), metafunc.module.__file__
        meant = [MISTAKES[name] for name in self.names if case in MISTAKES[name].noticed_by]
        meant = [one for one in meant if file.endswith(one.where)]
        metafunc.fixturenames.append("mistake")
        metafunc.parametrize("mistake", meant, ids=[one.name for one in meant], indirect=True)

    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        items[:] = [item for item in items if _mistake_of(item) is not None]

    @pytest.fixture
    def mistake(self, request: pytest.FixtureRequest) -> Any:
        """Only to multiply: the mistake is made while the case itself runs."""
        return request.param

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Function) -> None:
        if _case_of(item) in self.noticed[_mistake_of(item).name]:
            pytest.skip("one of a case's variants is enough")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Function) -> Iterator[None]:
        mistake = _mistake_of(item)
        kafka = mistake.only == "kafka"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.waiting.DEADLINE_SECONDS", UNTIL_SECONDS_OVER_KAFKA if kafka else UNTIL_SECONDS)
            patch.setattr("eventbus.testing.settling.ROUNDS_MAX", ROUNDS_MAX)
            with mistake.made(), at_most(CASE_SECONDS_OVER_KAFKA if kafka else CASE_SECONDS):
                yield

    def pytest_runtest_makereport(self, item: pytest.Function, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is None or call.excinfo.errisinstance(pytest.skip.Exception):
            return
        mistake, case = _mistake_of(item), _case_of(item)
        if call.when == "call":
            self.noticed[mistake.name][case] = repr(call.excinfo.value)[:TEXT_CHARACTERS]
        else:
            self.errors.append(f"{mistake.name}, {case}: {call.excinfo.value}")


def _case_of(item: pytest.Function) -> str:
    return item.function.__name__.removeprefix("test_")


def _mistake_of(item: pytest.Function) -> Any:
    """Return the mistake under which it runs; None for a case that no mistake concerns."""
    from tests.simulation.mistakes.mistake import Mistake  # only now: it imports models

    found = item.callspec.params.get("mistake") if hasattr(item, "callspec") else None
    return found if isinstance(found, Mistake) else None


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TooLong after so long, wherever it is: also between taking a lock and noting that it is held."""
    from django.db import connections

    from eventbus.database.sqlite3 import base

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


def main(told: Path, files: list[str], names: list[str]) -> None:
    """Write down what came of it, and end at once: a thread that a mistake keeps going would hold up the exit."""
    trial = Trial(names)
    pytest.main([*files, *OPTIONS], [trial])
    told.write_text(json.dumps({"noticed": trial.noticed, "errors": trial.errors}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:])
