"""A rider with an account, a station that is polled, and time that the test moves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from eventbus import clock
from eventbus.testing import settle
from stations.models import Alert
from tests.factories import CustomerFactory
from tests.stations.socket_client import key, polled, state

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)  # 14:00 in Lyon
NEW = "/stations/alerts/new/simulator/lyon-1/"


class Town:
    """Lyon as the simulator's feed tells it: each poll is a minute after the one before."""

    def poll(self, *, minutes: float = 1, number: int = 1, gone: bool = False, **told: Any) -> None:
        """Let time pass, then poll the station in this state, and let everybody handle that."""
        clock.advance(minutes=minutes)
        named = key(number)
        others = {key(9): state(name="TERREAUX", lat=45.767)}  # a kilometre north
        polled(others if gone else others | {named: state(**told)}, gone=[named] if gone else [], at=clock.now())
        settle()

    def wait(self, **time: float) -> None:
        """Let time pass in which the feed answers, and nothing changes."""
        clock.advance(**time)
        polled({}, at=clock.now())
        settle()


@pytest.fixture
def town(db: None, bus_clock: Any) -> Town:
    bus_clock.hold(NOON - timedelta(minutes=2))
    town = Town()
    town.poll(bikes=10, stands=10)
    return town


@pytest.fixture
def rider(db: None) -> Any:
    return CustomerFactory(email="rider@example.com")


@pytest.fixture
def browser(rider: Any) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(rider)
    return client


@pytest.fixture
def asks(browser: Client, town: Town) -> Callable[..., Alert]:
    """Ask to be told at the station, by the form of its page."""

    def ask(kind: str = "bikes", **form: Any) -> Alert:
        answer = browser.post(NEW, {"kind": kind, "threshold": 3} | form)
        assert answer.status_code == 302, answer.content.decode()
        return Alert.objects.latest("id")

    return ask
