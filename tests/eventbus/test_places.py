"""Our own tables know where the log must end: it shows that a log has lost its end, even where nobody reads."""

from eventbus import backends
from eventbus.backends import places
from eventbus.backends.base import TopicPartition
from eventbus.models import OutboxRow
from tests.eventbus.house import House, Noted


def test_every_partition_that_was_written_to_is_known_though_nobody_reads_it(house: House) -> None:
    house.say(*((f"key{number}", number) for number in range(40)))
    house.relay()

    known = places.given(Noted.topic)

    written = set(OutboxRow.objects.values_list("partition", flat=True))
    assert set(known) == written and {0, 1} <= written
    assert known == {
        place.partition: end
        for place, end in backends.current().ends([TopicPartition(Noted.topic, one) for one in written]).items()
    }
