"""Our own tables know where the log must end: it shows that a log has lost its end, even where nobody reads."""

import pytest

from eventbus import backends
from eventbus.backends import outbox_offsets
from eventbus.backends.base import TopicPartition, partition_of
from eventbus.models import OutboxRow
from tests.eventbus.bus_app import House, Noted


def test_every_partition_that_was_written_to_is_known_though_nobody_reads_it(house: House) -> None:
    house.say(*((f"key{number}", number) for number in range(40)))
    house.relay()

    known = outbox_offsets.given(Noted.topic)

    written = set(OutboxRow.objects.values_list("partition", flat=True))
    assert set(known) == written and {0, 1} <= written
    assert known == {
        place.partition: end
        for place, end in backends.current().ends([TopicPartition(Noted.topic, one) for one in written]).items()
    }


@pytest.mark.parametrize(
    ("key", "hashed"),  # as Kafka's own tests of Utils.murmur2 have them
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_a_key_lies_where_kafkas_own_clients_would_put_it(key: str, hashed: int) -> None:
    assert [partition_of(key, partitions) for partitions in (6, 1_000)] == [
        (hashed & 0x7FFFFFFF) % partitions for partitions in (6, 1_000)
    ]
