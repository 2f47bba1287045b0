"""A feed that fails is polled less and less often, and one that comes back soon is seen soon."""

from stations.polling.backoff import BACKOFF_SECONDS_MAX, SOON_FAILURES, SOON_SECONDS, wait_seconds


def test_a_feed_that_is_down_is_asked_less_and_less_often():
    waits = [wait_seconds(10_000, failures) for failures in (0, 1, 2, 3, 50)]

    assert waits == [10, 20, 40, 80, BACKOFF_SECONDS_MAX]
    assert wait_seconds(3_600_000, 5) == 3600


def test_the_return_of_a_feed_of_seconds_is_seen_within_seconds_for_the_first_minutes():
    waits = [wait_seconds(2000, failures) for failures in (0, 1, 2, SOON_FAILURES, SOON_FAILURES + 1)]

    assert waits == [2, SOON_SECONDS, SOON_SECONDS, SOON_SECONDS, BACKOFF_SECONDS_MAX]
