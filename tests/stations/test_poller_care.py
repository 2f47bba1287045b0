"""A poller believes no list that was cut, and leaves a feed alone that asks for a rest."""

import threading
from datetime import timedelta

import pytest

from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Key, PollFailed, Reading
from stations.models import PollRun, Station
from stations.polling.poller import Poller
from stations.services.poll_schedule import hold_off, plan_of
from tests.stations.readings import NOON, reading
from tests.stations.test_poller import Feed, plan

pytestmark = pytest.mark.django_db(transaction=True)

CITY = [Key("jcdecaux:lyon", str(number)) for number in range(1, 11)]


def listing(keys: list[Key], **state: object) -> list[Reading]:
    return [reading(key, **state) for key in keys]


def shown() -> int:
    return Station.objects.filter(gone=False).count()


def test_a_list_more_than_a_fifth_shorter_is_held_until_a_second_equal_answer():
    poller = Poller(Feed(listing(CITY), listing(CITY[:7]), listing(CITY[:7], bikes=9)))
    poller.poll()

    first = poller.poll()
    assert (first.outcome, first.reason, shown()) == ("failed", Failure.SHORTENED, 10)
    assert first.detail.startswith("3 of 10 stations are missing")

    second = poller.poll()
    assert (second.outcome, second.gone, second.changed, shown()) == ("ok", 3, 10, 7)


def test_a_list_a_fifth_shorter_is_believed_at_once():
    poller = Poller(Feed(listing(CITY), listing(CITY[:8])))
    poller.poll()

    assert (poller.poll().gone, shown()) == (2, 8)


def test_pollers_that_each_ask_once_doubt_a_short_list_and_believe_the_second():
    Poller(Feed(listing(CITY))).poll()

    assert Poller(Feed(listing(CITY[:7]))).poll().reason == Failure.SHORTENED
    assert shown() == 10
    assert Poller(Feed(listing(CITY[6::-1]))).poll().outcome == "ok"
    assert shown() == 7


class Ticks(threading.Event):
    """A stop that comes after so many ticks, without their waits."""

    def __init__(self, ticks: int) -> None:
        super().__init__()
        self.left = ticks

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        if self.left <= 0:
            self.set()
        return self.is_set()


def test_a_feed_that_asks_for_a_rest_is_left_alone_whoever_steers_and_starts_anew():
    feed = Feed(PollFailed(Failure.TOO_MANY, "HTTP 429", retry_after_seconds=3600))
    plan(interval_ms=1)
    Poller(feed, stop=Ticks(2)).run()
    plan(interval_ms=2)

    Poller(feed, stop=Ticks(2)).run()

    assert feed.asked == 1


def test_after_its_rest_a_feed_is_asked_again(bus_clock):
    feed = Feed(PollFailed(Failure.TOO_MANY, "HTTP 429", retry_after_seconds=3600), [reading()])
    plan(interval_ms=1)
    bus_clock.hold(NOON)
    Poller(feed, stop=Ticks(2)).run()

    bus_clock.hold(NOON + timedelta(seconds=3600))
    Poller(feed, stop=Ticks(1)).run()

    assert PollRun.objects.latest("started").outcome == "ok"


def test_a_rest_that_one_city_is_asked_for_holds_for_every_feed_of_the_same_key(settings, bus_clock):
    settings.STATIONS_FEEDS = ["jcdecaux:lyon", "jcdecaux:nantes", "simulator"]
    bus_clock.hold(NOON)
    until = NOON + timedelta(seconds=3600)

    hold_off(feed="jcdecaux:lyon", until=until, now=NOON)
    hold_off(feed="jcdecaux:nantes", until=NOON + timedelta(seconds=10), now=NOON)  # it was being asked already

    rests = {name: plan_of(name, now=NOON).not_before for name in settings.STATIONS_FEEDS}
    assert rests == {"jcdecaux:lyon": until, "jcdecaux:nantes": until, "simulator": None}
