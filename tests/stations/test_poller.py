"""The poller asks again and again, keeps what it knows when the feed fails, and does what the plan says."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import pytest
from django.db import OperationalError
from msgspec.structs import replace

from eventbus import clock
from eventbus.database.leases import Lease
from eventbus.errors import LeaseLost
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Fetched, Key, PollFailed, Reading
from stations.models import PollRun, Station
from stations.polling.poller import Poller, PollerThreads
from stations.services.poll_schedule import steer
from tests.stations.readings import BELLECOUR, TERREAUX, reading
from tests.waiting import DEADLINE_SECONDS, until

pytestmark = pytest.mark.django_db(transaction=True)


class Feed:
    """Gives, or raises, what is on its list; the last for ever."""

    name = "simulator:lyon"  # by its name it may be asked often
    contract = "lyon"

    def __init__(self, *answers: list[Reading] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self.is_closed = False

    def fetch(self) -> Fetched:
        self.asked += 1
        self.meanwhile()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        readings = [replace(each, key=Key(self.name, each.key.station_id)) for each in answer]
        return Fetched(readings, Counter(), {each.key for each in readings})

    def close(self) -> None:
        self.is_closed = True


DOWN = PollFailed(Failure.THEIR_ERROR, "HTTP 503")


def bikes(key: Key = BELLECOUR) -> int:
    return Station.objects.get(station_id=key.station_id).bikes


def test_a_poll_records_only_what_changed_since_the_poll_before():
    poller = Poller(Feed([reading(), reading(TERREAUX)], [reading(bikes=9), reading(TERREAUX)]))

    first, second, third = (poller.poll() for _ in range(3))

    assert [(run.fetched, run.changed, run.appeared) for run in (first, second, third)] == [
        (2, 0, 2),
        (2, 1, 0),
        (2, 0, 0),
    ]
    assert bikes() == 9


def test_a_feed_that_fails_leaves_the_last_state_and_says_how_old_it_is():
    poller = Poller(Feed([reading()], DOWN))
    assert poller.state_age() is None
    poller.poll()

    run = poller.poll()

    assert (run.outcome, run.reason, run.detail) == ("failed", Failure.THEIR_ERROR, "HTTP 503")
    assert bikes() == 10
    age = poller.state_age()
    assert age is not None
    assert age.total_seconds() >= 0


def test_an_error_of_our_own_is_recorded_as_such_and_not_told_to_the_page():
    run = Poller(Feed(ZeroDivisionError("with a secret in it"))).poll()

    assert (run.outcome, run.reason, run.detail) == ("failed", Failure.OUR_ERROR, "")


def test_a_poller_that_was_overtaken_forgets_what_it_fetched_and_asks_again():
    feed = Feed([reading()], [reading(bikes=9)], [reading(bikes=5)])
    poller = Poller(feed)
    poller.poll()
    feed.meanwhile = lambda: feed.asked == 2 and Poller(Feed([reading(bikes=7)])).poll()

    run = poller.poll()

    assert run.outcome == "ok"
    assert (bikes(), Station.objects.get().version) == (5, 3)


class NeverLeading:
    """A lease that another process holds."""

    asked = 0

    def acquire(self) -> bool:
        self.asked += 1
        return False


@contextmanager
def running(feed: Feed, lease: object = None) -> Iterator[list[PollRun]]:
    """A poller in its thread, as in a server; gives the list of its polls."""
    stop, polls = threading.Event(), []
    poller = Poller(feed, lease=lease, stop=stop)
    thread = threading.Thread(target=poller.run, args=(polls.append,))
    thread.start()
    try:
        yield polls
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


def plan(**wanted: object) -> None:
    steer(feed=Feed.name, now=clock.now(), minimum_ms=1, **wanted)


def test_it_polls_at_once_and_then_by_its_interval():
    plan(interval_ms=1)
    with running(Feed([reading()])) as polls:
        until(lambda: len(polls) >= 3, "polls")


def test_a_database_that_is_away_is_waited_for_and_told_in_a_line(caplog):
    feed = Feed([reading()])
    away = iter([OperationalError("server closed the connection unexpectedly")])

    def lose_it() -> None:
        for error in away:
            raise error

    feed.meanwhile = lose_it
    with running(feed) as polls:
        until(lambda: bool(polls), "polls")

    [told] = [one for one in caplog.records if one.name == "stations.polling.poller" and one.levelname == "WARNING"]
    assert told.getMessage() == (
        "Polling simulator:lyon waits for the database: server closed the connection unexpectedly"
    )
    assert not told.exc_info
    assert feed.asked == 2


def test_a_shorter_interval_works_at_once_and_not_after_the_longer_one():
    plan(interval_ms=3_600_000)
    with running(Feed([reading()])) as polls:
        until(lambda: len(polls) == 1, "polls")

        changed_at = monotonic()
        plan(interval_ms=1)
        until(lambda: len(polls) >= 2, "polls")

    assert monotonic() - changed_at < 2  # promised: 200 ms and the poll; the rest is for a busy machine


def test_stop_stops_and_start_polls_at_once():
    plan(interval_ms=3_600_000)
    with running(Feed([reading()])) as polls:
        until(lambda: len(polls) == 1, "polls")

        plan(running=False)
        plan(running=True)

        until(lambda: len(polls) == 2, "polls")


def test_while_another_process_polls_this_one_stands_by_and_says_so_once(caplog):
    plan(interval_ms=1)
    feed, lease = Feed([reading()]), NeverLeading()
    with caplog.at_level("INFO", "stations.polling.poller"), running(feed, lease=lease) as polls:
        until(lambda: lease.asked >= 2, "polls")

    assert (feed.asked, polls, feed.is_closed) == (0, [], True)
    assert caplog.messages == ["Another process polls simulator:lyon; this one stands by"]


def test_a_poller_that_lost_its_lease_while_it_asked_writes_nothing():
    lease, other = Lease("poller:test", seconds=0), Lease("poller:test", seconds=0)
    assert lease.acquire()
    feed = Feed([reading()])
    feed.meanwhile = other.acquire

    with pytest.raises(LeaseLost):
        Poller(feed, lease=lease).poll()

    assert not Station.objects.exists()
    assert not PollRun.objects.exists()


def test_whoever_takes_over_goes_on_from_what_the_other_recorded():
    plan(interval_ms=1)
    with running(Feed([reading()]), lease=Lease("poller:test")) as first:
        until(lambda: len(first) >= 1, "polls")
        with running(Feed([reading(bikes=9)]), lease=Lease("poller:test")) as second:
            until(lambda: len(first) >= 3, "polls")
            assert second == []
            plan(running=False)

    with running(Feed([reading(bikes=9)]), lease=Lease("poller:test")) as second:
        plan(running=True)
        until(lambda: len(second) >= 1, "polls")

    assert (second[0].changed, second[0].appeared) == (1, 0)
    assert Station.objects.get().version == 2


def test_the_pollers_of_a_process_end_together_and_finish_the_poll_in_hand(server, settings):
    settings.SIMULATOR_URL = server.url.removesuffix("/vls/v3")
    in_hand = threading.Event()
    server.will_never_answer()
    server.answers[0].hold = lambda: (in_hand.set(), server.released.wait(DEADLINE_SECONDS))
    server.answers[0].body = b"<html>"
    pollers = PollerThreads(["simulator"]).start()
    assert in_hand.wait(DEADLINE_SECONDS)

    pollers.stop()
    server.released.set()
    pollers.close()

    assert pollers.wait(0)
    assert PollRun.objects.get().reason == Failure.NOT_JSON


def test_a_poller_that_starts_anew_goes_on_where_the_last_one_ended():
    Poller(Feed([reading()])).poll()

    run = Poller(Feed([reading(bikes=9)])).poll()

    assert (run.changed, run.appeared) == (1, 0)
    assert Station.objects.get().version == 2
