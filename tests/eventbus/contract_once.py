"""Promise 2: handled once."""

import pytest
from django.db import connection
from django.db.models import F

from eventbus import backends, registry
from eventbus.errors import LeaseLost, StaleEpoch
from eventbus.leases import Lease
from eventbus.models import Effect, InboxRow, LeaseRow
from eventbus.worker import Worker
from tests.eventbus.house import House, Mended, Noted


@pytest.mark.django_db(transaction=True)
class HandledOnce:
    """Promise 2."""

    def test_a_log_that_comes_again_is_handled_once(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("vase", 2))
        house.settle()

        house.rewind()
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_what_a_handler_wrote_before_it_failed_was_never_written(self, house: House, bus_clock) -> None:
        attempts = []

        def write_then_fail_once(event: Noted) -> None:
            house.write("half", event)
            attempts.append(event.number)
            if len(attempts) == 1:
                raise ValueError("after the write")

        house.handler(call=write_then_fail_once)
        house.say(("vase", 1))
        house.settle()
        bus_clock.advance(hours=1)
        house.settle()

        assert attempts == [1, 1]
        assert house.seen("half") == [("vase", 1)]
        assert house.seen() == [("vase", 1)]

    def test_a_batch_that_fails_in_the_middle_is_handled_one_by_one(self, house: House) -> None:
        broken = Mended("bad")
        house.handler(call=broken)
        house.say(("warm", 0))
        house.settle()  # the first batch after a start is careful anyway

        house.say(*((name, number) for number in range(5) for name in ("good", "bad")))
        house.settle()

        assert house.seen(name="good") == [0, 1, 2, 3, 4]
        assert InboxRow.objects.filter(group="house-a").count() == 6

    def test_a_worker_whose_partition_was_taken_over_writes_nothing(self, house: House) -> None:
        house.handler()
        former = Worker(registry.groups["house-a"], backends.current())
        former.step()
        house.say(("vase", 1))
        house.relay()
        Worker(registry.groups["house-a"], backends.current()).step()

        with pytest.raises(StaleEpoch):
            house.say(("vase", 2))
            house.relay()
            former.step()
            former.step()

        house.settle()
        assert house.seen(name="vase") == [1, 2]

    def test_a_worker_whose_lease_was_lost_takes_nothing_over(self, house: House) -> None:
        house.handler()
        lost = Lease("post")
        assert lost.acquire()
        LeaseRow.objects.filter(name="post").update(owner="the next one", epoch=F("epoch") + 1)
        owner = Worker(registry.groups["house-a"], backends.current())
        owner.step()
        house.say(("vase", 1))
        house.relay()

        with pytest.raises(LeaseLost):
            Worker(registry.groups["house-a"], backends.current(), fence=lost.check).step()
        owner.step()

        assert house.seen(name="vase") == [1]

    def test_an_effect_happens_once_and_its_answer_is_recorded(self, house: House) -> None:
        sent, answers = [], []

        def send(event: Noted, *, idempotency_key: str) -> str:
            assert not connection.in_atomic_block
            sent.append(idempotency_key)
            return f"sent {event.number}"

        house.handler("post", send, effect=True, record=lambda event, answer: answers.append(answer), on_doubt="again")
        house.say(("vase", 1))
        house.settle()
        house.rewind("post")
        house.settle()

        assert len(sent) == 1
        assert answers == ["sent 1"]
        assert Effect.objects.get(group="post").state == Effect.State.DONE

    @pytest.mark.parametrize("on_doubt", ["again", "never"])
    @pytest.mark.parametrize("failures", [1, 2])
    def test_an_effect_whose_answer_could_not_be_recorded_is_not_asked_again(
        self, house: House, bus_clock, on_doubt: str, failures: int
    ) -> None:
        sent, recorded = [], []

        def record(event: Noted, answer: None) -> None:
            recorded.append(event.number)
            if len(recorded) <= failures:
                raise ValueError("the answer does not fit")

        def send(event: Noted, *, idempotency_key: str) -> None:
            sent.append(event.number)

        house.handler("post", send, effect=True, record=record, on_doubt=on_doubt)
        house.say(("vase", 1))
        for _attempt in range(failures + 1):
            house.settle()
            bus_clock.advance(hours=1)

        assert (sent, len(recorded)) == ([1], failures + 1)
        assert (house.parked("post"), house.dead("post")) == ([], [])

    def test_an_effect_in_doubt_is_asked_again_with_the_same_key_or_never(self, house: House) -> None:
        keys: dict[str, list[str]] = {"again": [], "never": []}

        def die(how: str):
            def send(event: Noted, *, idempotency_key: str) -> None:
                keys[how].append(idempotency_key)
                if len(keys[how]) == 1:
                    raise KeyboardInterrupt  # as abrupt as a death: nothing of ours answers it

            return send

        for how in keys:
            house.handler(how, die(how), effect=True, record=lambda event, answer: None, on_doubt=how)
        house.say(("vase", 1))
        for _ in keys:
            with pytest.raises(KeyboardInterrupt):
                house.settle()
            house.restart()
        house.settle()

        assert len(keys["again"]) == 2
        assert len(set(keys["again"])) == 1
        assert len(keys["never"]) == 1
        assert [letter.error_class for letter in house.dead("never")] == ["InDoubt"]
        assert house.dead("again") == []
