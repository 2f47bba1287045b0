"""What Kafka's clients say in the log while a broker is away, and what an operator hears of their errors."""

import logging
import time

import pytest
from confluent_kafka import KafkaError, KafkaException

from eventbus.backends.kafka import backend as kafka
from eventbus.backends.kafka.client_errors import OLDER, REPEAT_SECONDS, RepeatFilter, note, why_ended

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


UNREAD = "Kafka cannot be read: gone"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, f"{UNREAD}: make what is missing with manage.py eventbus topics --apply"),
        (KafkaError._AUTO_OFFSET_RESET, UNREAD),
        (KafkaError._TRANSPORT, ""),
    ],
    ids=["no such topic", "no offset to begin at", "passes by itself"],
)
def test_an_operator_hears_of_what_does_not_pass_by_itself(
    code: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert note(KafkaError(code, "gone")) == told

    assert "Kafka: gone" in caplog.text


def test_an_error_for_good_ends_the_client() -> None:
    with pytest.raises(KafkaException, match="fenced"):
        note(KafkaError(KafkaError._FATAL, "fenced"))


@pytest.mark.parametrize(
    ("error", "told", "level"),
    [
        (KafkaException(KafkaError(KafkaError.GROUP_ID_NOT_FOUND, OLDER)), "", "WARNING"),
        (KafkaException(KafkaError(KafkaError._CRIT_SYS_RESOURCE, "too many files")), "too many files", "ERROR"),
        (ValueError(OLDER), OLDER, "ERROR"),
    ],
    ids=["classic members", "no client", "not of Kafka"],
)
def test_a_reader_that_ended_says_why_unless_it_only_waits_for_classic_members_to_leave(
    error: Exception, told: str, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = why_ended(error)

    assert told in said
    assert bool(said) is bool(told)
    assert [record.levelname for record in caplog.records] == [level]
