"""Where a new group begins: with what is published from then on, or with all that is kept, as its declaration says."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import transaction

from eventbus import backends, handles, publish, registry
from eventbus.audit import delivery_audit
from eventbus.models import OutboxRow, Progress
from eventbus.progress import group_starts, log_generations
from tests.eventbus.bus_app import House, Mended, Noted, Sown
from tests.eventbus.busy_site import places, prune_a_day_later, threads, waiting
from tests.eventbus.contract_takeovers import meanwhile
from tests.waiting import until

OLD = [("vase", 1), ("vase", 2), ("chair", 1)]


@pytest.mark.django_db(transaction=True)
class BeginsAsDeclared:
    """Promise 1, for a group that comes later."""

    @pytest.mark.parametrize("relayed", [True, False], ids=["relayed", "still in the outbox"])
    def test_a_new_group_handles_all_that_is_kept_once_and_in_order(self, house: House, relayed: bool) -> None:
        house.say(*OLD)
        if relayed:
            house.relay()

        house.handler("house-b", start="earliest")
        house.say(("vase", 3))
        house.settle()
        house.restart()
        house.settle()

        assert house.seen("house-b", "vase") == [1, 2, 3]
        assert house.seen("house-b", "chair") == [1]
        assert places("house-b") == {"handled": 4}

    @pytest.mark.parametrize("policy", [{}, {"start": "latest"}])
    def test_another_begins_with_what_comes_from_then_on(self, house: House, policy: dict[str, Any]) -> None:
        house.say(*OLD)
        house.relay()

        house.handler("house-b", **policy)
        house.say(("vase", 3))
        house.settle()

        assert house.seen("house-b") == [("vase", 3)]
        assert places("house-b") == {"handled": 1}

    def test_what_is_pruned_is_not_missed(self, house: House, bus_clock) -> None:
        broken = Mended("chair")
        house.handler("house-a", broken, attempts=1)
        house.say(("chair", 1), *(("vase", number) for number in range(1, 4)))
        house.settle()
        assert prune_a_day_later(bus_clock).events == 2
        kept = sorted(OutboxRow.objects.values_list("key", flat=True))

        house.handler("house-b", start="earliest")
        house.say(("vase", 4))
        house.settle()

        assert kept == ["chair", "vase"]
        assert sorted(house.seen("house-b")) == [("chair", 1), ("vase", 3), ("vase", 4)]
        assert places("house-b") == {"handled": 3}
        bus_clock.advance(days=1)
        prune_a_day_later(bus_clock)
        assert places("house-b") == {"handled": 3}

    def test_nothing_is_pruned_that_it_has_still_to_handle(self, house: House, bus_clock) -> None:
        house.handler("house-a")
        house.say(*OLD)
        house.settle()
        house.handler("house-b", start="earliest")

        assert prune_a_day_later(bus_clock).events == 0

        house.settle()
        assert len(house.seen("house-b")) == len(OLD)

    def test_nothing_is_pruned_while_it_is_made(self, house: House, bus_clock, monkeypatch) -> None:
        """Pruning would not see it yet, and it would begin at an event that is gone a moment later."""
        lock, asked = log_generations.lock, list[Any]()
        monkeypatch.setattr(log_generations, "lock", lambda topics, **how: (asked.append(how), lock(topics, **how)))
        house.handler("house-a")
        house.say(*OLD)
        house.settle()
        running: list[Callable[[], bool]] = []

        with ExitStack() as stack:

            def prune() -> None:
                running.append(stack.enter_context(threads(lambda: prune_a_day_later(bus_clock) and None)))
                until(lambda: {"wait": False} in asked or waiting() or not running[0](), "it is held up, or done")

            with meanwhile("groups.ensure.commit", prune):
                house.handler("house-b", start="earliest")
        assert not running[0]()

        house.settle()
        assert sorted(house.seen("house-b")) == sorted(OLD)
        assert places("house-b") == {"handled": len(OLD)}

    def test_its_handlers_publish_as_always(self, house: House) -> None:
        [cause, *_] = house.say(("vase", 1))
        house.relay()

        def answer(event: Noted) -> None:
            if event.name != "answer":
                publish(Noted(name="answer", number=event.number))

        house.handler("house-b", answer, start="earliest")
        house.settle()

        [answered] = OutboxRow.objects.filter(key="answer")
        assert str(cause) in answered.headers
        assert house.seen("house-b") == [("vase", 1), ("answer", 1)]

    def test_a_failed_old_event_is_parked_and_tried_again(self, house: House, bus_clock) -> None:
        house.say(*OLD)
        house.relay()
        broken = Mended("vase")
        house.handler("house-b", broken, start="earliest")
        house.settle()
        assert house.parked("house-b") == ["vase"]

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen("house-b", "vase") == [1, 2]

    def test_a_topic_that_is_new_to_the_group_begins_there_too(self, house: House) -> None:
        house.handler("house-b", start="earliest")
        with transaction.atomic():
            publish(Sown(name="rose", number=1))
        house.settle()
        assert house.seen("house-b") == []

        house.handler("house-b", on=Sown, start="earliest")
        house.restart()
        house.settle()

        assert house.seen("house-b") == [("rose", 1)]

    def test_a_group_that_has_begun_is_not_moved(self, house: House) -> None:
        house.say(*OLD)
        house.relay()
        house.handler("house-b")
        house.settle()
        begun = sorted(Progress.objects.filter(group="house-b").values_list("partition", "start", "offset"))

        registry.groups.clear()
        handles(Noted, group="house-b", start="earliest")(lambda event: house.write("house-b", event))
        group_starts.ensure(backends.current(), registry.groups.values())
        house.restart()
        house.settle()

        assert sorted(Progress.objects.filter(group="house-b").values_list("partition", "start", "offset")) == begun
        assert house.seen("house-b") == []
        assert delivery_audit.problems(delivery_audit.read()) == []
