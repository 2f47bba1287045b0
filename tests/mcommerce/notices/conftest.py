"""A receiver of webhooks, and the faults that a check of notices finds."""

from collections.abc import Iterator
from typing import Any

import pytest

from mcommerce.notices import fault_watch
from mcommerce.notices.fault_watch import FaultWatch
from mcommerce.overview.faults import Fault
from outside import circuit_breaker
from tests.webhook_receiver import Receiver

SECRET = "a secret of twenty characters"
DISK = Fault("A disk is full", "/var cannot be written: No space left", id="disk:")


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    circuit_breaker.forget()
    found = Receiver()
    settings.EVENTBUS_NOTIFY_WEBHOOK, settings.EVENTBUS_NOTIFY_SECRET = found.url, SECRET
    settings.EVENTBUS_NOTIFY_MAIL = ["ada@example.com"]
    yield found
    found.close()
    circuit_breaker.forget()


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> list[Fault]:
    """The faults of the site: what a test puts in."""
    found: list[Fault] = []
    monkeypatch.setattr(fault_watch, "faults", lambda status: list(found))
    monkeypatch.setattr(fault_watch, "faults_without_database", lambda: list(found))
    return found


def checks(watch: FaultWatch, times: int) -> None:
    for _time in range(times):
        watch.look()
