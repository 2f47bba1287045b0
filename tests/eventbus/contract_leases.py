"""Who is the one: the owner while it lives, the next one soon after it has died."""

import pytest

from eventbus.database import leases
from eventbus.database.leases import LEASE_SECONDS, Lease
from eventbus.errors import LeaseLost
from eventbus.processes.dispatcher import STANDBY_SECONDS
from tests.eventbus.load_app.processes import HANDOVER_SECONDS_MAX

LOOK_SECONDS = 0.5  # between a standby's looks


class Watch:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


def seconds_until_taken(standby: Lease, watch: Watch, *, look: float = LOOK_SECONDS) -> float:
    began = watch.seconds
    while not standby.acquire():
        watch.seconds += look
        assert watch.seconds < began + 60, "never taken over"
    return watch.seconds - began


@pytest.mark.django_db(transaction=True)
class OneAtATime:
    """One relay, dispatcher or poller; promise 3 rests on it."""

    @pytest.fixture
    def watch(self, monkeypatch) -> Watch:
        one = Watch()
        monkeypatch.setattr(leases, "time", one)
        return one

    @pytest.fixture
    def owner(self) -> Lease:
        lease = Lease("post")
        assert lease.acquire()
        return lease

    def test_a_dead_owners_lease_is_taken_over_and_the_dead_one_cannot_come_back(
        self, owner: Lease, watch: Watch
    ) -> None:
        standby = Lease("post")

        assert LEASE_SECONDS <= seconds_until_taken(standby, watch) <= LEASE_SECONDS + LOOK_SECONDS
        with pytest.raises(LeaseLost):
            owner.beat()
        standby.beat()

    def test_a_dispatcher_that_dies_right_after_a_beat_is_followed_in_time(self, owner: Lease, watch: Watch) -> None:
        standby = Lease("post")
        assert not standby.acquire()
        owner.beat()  # right after that look, and its last: the next look is the first that sees it

        watch.seconds += STANDBY_SECONDS
        silent = seconds_until_taken(standby, watch, look=STANDBY_SECONDS)

        assert STANDBY_SECONDS + silent < HANDOVER_SECONDS_MAX

    def test_an_owner_who_beats_keeps_its_lease(self, owner: Lease, watch: Watch) -> None:
        standby = Lease("post")

        for _ in range(40):
            watch.seconds += LOOK_SECONDS
            owner.beat()
            assert not standby.acquire()

    def test_a_standby_that_was_held_up_takes_nothing_from_an_owner_held_up_by_the_same_lock(
        self, owner: Lease, watch: Watch
    ) -> None:
        standby = Lease("post")
        assert not standby.acquire()

        watch.seconds += 20  # a long transaction held the database; the standby's look comes through before the beat
        assert not standby.acquire()
        owner.beat()

        watch.seconds += LOOK_SECONDS
        assert not standby.acquire()

    def test_a_beat_in_between_starts_the_silence_anew(self, owner: Lease, watch: Watch) -> None:
        standby = Lease("post")
        while watch.seconds < 100 + LEASE_SECONDS - LOOK_SECONDS:
            assert not standby.acquire()
            watch.seconds += LOOK_SECONDS
        owner.beat()

        assert seconds_until_taken(standby, watch) >= LEASE_SECONDS

    def test_a_lease_that_was_left_is_free_at_once(self, owner: Lease) -> None:
        owner.release()

        assert Lease("post").acquire()
