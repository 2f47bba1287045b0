"""What Kafka's clients say in the log while a broker is away."""

import logging
import time

import pytest

from eventbus.backends.kafka import backend as kafka
from eventbus.backends.kafka.client_errors import REPEAT_SECONDS, RepeatFilter

AWAY = "FAIL [rdkafka#consumer-{client}] [thrd:{place}]: {place}: Connect failed: Connection refused"


def passes(told: RepeatFilter, message: str) -> bool:
    return bool(told.filter(logging.LogRecord("kafka", logging.ERROR, "", 0, message, None, None)))


def test_a_broker_that_is_away_is_told_of_now_and_then_and_not_by_every_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: at)
    told, at = RepeatFilter(), 0.0
    ours = [AWAY.format(client=client, place="127.0.0.1:9092/1") for client in range(12)]

    assert [passes(told, one) for one in ours] == [True] + [False] * 11
    at = REPEAT_SECONDS - 1
    assert not passes(told, ours[0])
    at = REPEAT_SECONDS
    assert passes(told, ours[5])


def test_what_is_new_is_told_at_once() -> None:
    told = RepeatFilter()
    assert passes(told, AWAY.format(client=1, place="127.0.0.1:9092/1"))

    assert passes(told, AWAY.format(client=1, place="127.0.0.1:9093/2"))
    assert passes(told, "PARTCNT [rdkafka#producer-2] [thrd:127.0.0.1:9092/1]: Topic orders partition count changed")
    assert passes(told, "The log of orders ends early")
    assert passes(told, "The log of orders ends early")


def test_what_the_backends_clients_say_is_spared(caplog: pytest.LogCaptureFixture) -> None:
    for client in range(12):
        kafka.logger.error(AWAY.format(client=client, place="127.0.0.1:9099/9"))

    assert len(caplog.records) == 1
