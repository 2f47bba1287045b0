"""What Kafka's client does when it gives up, and what its sender makes of that."""

from collections.abc import Callable
from typing import Any

from eventbus.backends.base import Unsent
from eventbus.backends.kafka.producing import Sender

ROW = Unsent(1, "house", "house.noted.v1", "vase", b"{}", '{"specversion": "1.0"}')


class DyingProducer:
    """Takes a record, hears nothing of it, and dies of a fatal error while what it holds is given up."""

    def __init__(self) -> None:
        self._waits = 0

    def produce(self, topic: str, *, on_delivery: Callable[[Any, Any], None], **record: Any) -> None:
        """Takes it."""

    def purge(self) -> None:
        """Gives up what it holds."""

    def flush(self, seconds: float) -> int:
        self._waits += 1
        if self._waits == 2:  # as the client does between two reports
            raise SystemError("returned a result with an exception set")
        return 1


def test_a_client_that_dies_while_a_batch_is_given_up_is_a_log_that_is_away() -> None:
    sender = Sender(DyingProducer, lambda topic: topic)  # type: ignore[arg-type]

    outcome = sender.send([ROW])

    assert (outcome.sent, outcome.refused) == ([], {})
    assert outcome.error == "1 of 1 events were not taken: no answer in time"
