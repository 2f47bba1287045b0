"""Errors and log lines of Kafka's clients: those that an operator must act on, and those that pass by themselves."""

import logging
import re
import time

from confluent_kafka import KafkaError, KafkaException

logger = logging.getLogger(__name__)

# A broker returns this to a consumer of the newer group protocol (KIP-848) if the group's members of the classic one
# cannot be converted. Those are librdkafka's members with the sticky assignor, once they have partitions.
OLDER = "group id does not exist"
REPEAT_SECONDS = 10.0  # a dozen clients report an unavailable broker each second, and hide the other log lines
FROM_CLIENT = re.compile(r"(?P<kind>[A-Z_]+) \[rdkafka#[^]]*\] \[thrd:(?P<thread>[^]]*)\]")


class RepeatFilter(logging.Filter):
    """A filter that passes one log line of each kind about the same broker in REPEAT_SECONDS."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, str], float] = {}  # when, by the monotonic clock

    def filter(self, record: logging.LogRecord) -> bool:
        found = FROM_CLIENT.match(record.getMessage())
        if found is None:
            return True
        what, now = (found["kind"], found["thread"]), time.monotonic()
        if now - self._told.get(what, float("-inf")) < REPEAT_SECONDS:
            return False
        self._told[what] = now
        return True


def note(error: KafkaError) -> str:
    """Log a client's error. Return a text for the operator, or an empty one if the error passes by itself.

    Raises KafkaException if the error ends the client.
    """
    if error.fatal() or error.code() == KafkaError._FATAL:
        raise KafkaException(error)
    logger.warning("Kafka: %s", error.str())
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return f"Kafka cannot be read: {error.str()}: make what is missing with manage.py eventbus topics --apply"
    return f"Kafka cannot be read: {error.str()}" if error.code() == KafkaError._AUTO_OFFSET_RESET else ""


def why_ended(error: Exception) -> str:
    """Log why a reader ended.

    Return a text for the operator, or an empty one if it only waits for classic members to leave.
    """
    if isinstance(error, KafkaException) and OLDER in str(error):
        logger.warning(
            "Workers of the classic group protocol read here: this one waits until the last of them has left"
        )
        return ""
    logger.error("A reader of Kafka ended; it begins anew", exc_info=error)
    return f"Kafka's reader ended: {error}"
