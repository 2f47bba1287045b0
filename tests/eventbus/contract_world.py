"""Promises 6 and 7: a broken world is not a poison event, and a deploy is no drama."""

import threading

import pytest
from django.db import InterfaceError, connection

from eventbus import backends, groups, registry
from eventbus.effects import CRASHES_MAX
from eventbus.models import InboxRow, Progress
from tests.eventbus.house import House, Mended, Noted, locked_progress, until


@pytest.mark.django_db(transaction=True)
class ABrokenWorldIsNotAPoisonEvent:
    """Promise 6."""

    def test_a_database_locked_for_longer_than_its_timeout_counts_no_attempt(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()

        with locked_progress(), house.working():
            threading.Event().wait(0.5)  # several timeouts long
            assert house.seen() == []
        with house.working():
            until(house.seen, "the event handled once the lock was gone")

        assert house.seen() == [("vase", 1)]
        assert (house.parked(), house.dead()) == ([], [])

    def test_a_database_that_goes_away_counts_no_attempt(self, house: House) -> None:
        away = Mended("vase", error=InterfaceError("connection already closed"))
        house.handler(call=away, attempts=1)
        house.say(("vase", 1), ("vase", 2))
        house.relay()

        with house.working():
            until(lambda: away.calls >= CRASHES_MAX + 2, "it tried more often than an event may crash")
            away.names.clear()
            until(lambda: len(house.seen()) == 2, "both handled once the database was back")

        assert house.seen(name="vase") == [1, 2]
        assert (house.parked(), house.dead()) == ([], [])

    @pytest.mark.parametrize("on_doubt", ["again", "never"])
    def test_an_answer_in_hand_survives_a_database_that_goes_away(self, house: House, on_doubt: str) -> None:
        sent, away = [], [True, True]

        def record(event: Noted, answer: int) -> None:
            if away:
                away.pop()
                raise InterfaceError("connection already closed")
            house.write("post", event)

        def send(event: Noted, **named: str) -> None:
            sent.append(event.number)

        house.handler("post", send, effect=True, record=record, on_doubt=on_doubt)
        house.say(("vase", 1))
        house.relay()
        with house.working("post"):
            until(lambda: house.seen("post"), "the answer recorded")

        assert sent == [1]
        assert house.dead("post") == []

    def test_an_event_that_kills_the_process_three_times_is_set_aside(self, house: House) -> None:
        house.handler()
        [event_id] = house.say(("vase", 1))
        house.relay()

        for deaths, expected in ((1, [("vase", 1)]), (3, [])):
            InboxRow.objects.all().delete()
            self._as_if_it_died(event_id, deaths)
            house.settle()
            assert house.seen() == expected
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM house_seen")

        assert [letter.error_class for letter in house.dead()] == ["CrashedRepeatedly"]

    def test_deaths_before_its_turn_are_not_blamed_on_an_event(self, house: House) -> None:
        house.handler()
        [event_id] = house.say(("vase", 1))
        house.relay()
        self._as_if_it_died(event_id, 1)

        for _process in range(CRASHES_MAX):
            group = registry.groups["house-a"]
            groups.take_over(group, backends.current().partitions(group.topics), lambda: None, forgive=False)
        house.settle()

        assert house.seen() == [("vase", 1)]

    def _as_if_it_died(self, event_id, deaths: int) -> None:
        Progress.objects.filter(group="house-a").update(position=0, running_event=event_id, crashes=deaths - 1)
        House().restart()


@pytest.mark.django_db(transaction=True)
class DeploysWithoutDrama:
    """Promise 7."""

    def test_a_worker_asked_to_leave_finishes_what_is_in_hand_and_no_more(self, house: House) -> None:
        in_hand, finish = threading.Event(), threading.Event()

        def slowly(event: Noted) -> None:
            in_hand.set()
            assert finish.wait(10)

        house.handler(call=slowly)
        house.say(*(("vase", number) for number in range(5)))
        house.relay()
        with house.working() as stop:
            assert in_hand.wait(10)
            stop.set()
            finish.set()

        assert house.seen(name="vase") == [0]
        house.settle()
        assert house.seen(name="vase") == [0, 1, 2, 3, 4]
