"""How many events a transaction holds: many, unless one must be told from the others."""

from collections.abc import Callable

import pytest
from django.db import connection

from eventbus import testing
from tests.eventbus.house import House, Noted

NUMBERS = range(1, 5)


@pytest.mark.django_db(transaction=True)
class InBatches:
    """Promises 2 and 6. No adversary here: it cuts batches as it likes."""

    @pytest.fixture(autouse=True)
    def time(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
        """How long a batch may take: long enough on a busy machine."""
        allowed = {connection.vendor: 60.0}
        monkeypatch.setattr("eventbus.handling.BATCH_SECONDS", allowed)
        return allowed

    def test_a_later_batch_is_one_transaction(self, house: House) -> None:
        assert len(positions_seen(house)) == 1

    def test_a_batch_that_took_its_time_lets_others_write(self, house: House, time: dict[str, float]) -> None:
        time[connection.vendor] = 0.0

        assert len(positions_seen(house)) == len(NUMBERS)

    def test_after_a_start_each_event_has_a_transaction_of_its_own(self, house: House) -> None:
        assert len(positions_seen(house, meanwhile=house.restart)) == len(NUMBERS)

    def test_a_handler_that_asks_for_it_has_a_transaction_to_itself(self, house: House) -> None:
        house.handler()

        assert len(positions_seen(house, batch=1)) == len(NUMBERS)


def positions_seen(house: House, meanwhile: Callable[[], None] = lambda: None, **policy: int) -> set[int]:
    """The group's positions while it handled `NUMBERS` of one key, after a first event."""
    seen: dict[int, int] = {}

    def look(event: Noted) -> None:
        seen[event.number] = house.position()

    house.handler(call=look, **policy)
    house.say(("vase", 0))
    testing.settle()
    meanwhile()
    house.say(*(("vase", number) for number in NUMBERS))
    testing.settle()
    return {seen[number] for number in NUMBERS}
