"""A real broker starts, and keeps what it acknowledged."""

from tests.kafka.records import append, make_topic, read


def test_what_is_appended_is_read(kafka: str) -> None:
    topic = make_topic(kafka)

    append(kafka, topic, b"one", b"two")

    assert read(kafka, topic, 2) == [b"one", b"two"]
