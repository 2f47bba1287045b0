"""Over a real Kafka as well each order comes to its right end, wherever the world ends."""

from tests.sweep.test_sweep import sweep


def test_every_order_comes_to_its_right_end_whatever_dies_once_in_what_speaks_to_kafka(kafka: str) -> None:
    done = sweep("--kafka", "--own", "--short", "--one-way", KAFKA_BOOTSTRAP_SERVERS=kafka)

    assert done.returncode == 0, done.stdout + done.stderr
