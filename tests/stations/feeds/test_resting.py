"""A feed that drips, floods or fails: little is read, it is soon left alone, and found again when it is well."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from outside.circuit_breaker import FAILURES_MAX, REST_SECONDS
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import PollFailed
from stations.feeds.formats.jcdecaux import JCDecauxFeed
from tests.outside.raw_server import Said, drip, drip_of_headers, flood, mumbling, saying
from tests.stations.feed_server import Answer, AnsweringServer, encoded
from tests.stations.rows import v3

FeedOf = Callable[..., JCDecauxFeed]
GOOD = encoded([v3(1)])


def reason_of(feed: JCDecauxFeed) -> Failure:
    with pytest.raises(PollFailed) as failed:
        feed.fetch()
    return Failure(failed.value.reason)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (drip, Failure.TOO_SLOW),
        (drip_of_headers, Failure.TOO_SLOW),
        (flood, Failure.TOO_LARGE),
        (saying(gzip.compress(bytes(300 * 2**20)), headers="Content-Encoding: gzip\r\n"), Failure.TOO_LARGE),
    ],
    ids=["a drip", "a drip of headers", "a flood", "a bomb"],
)
def test_neither_a_drip_nor_a_flood_holds_the_poller(said: Said, reason: Failure, feed_of: FeedOf) -> None:
    seconds = 0.3 if reason is Failure.TOO_SLOW else 30.0

    with mumbling(said) as mumbler:
        feed = feed_of(base_url=f"{mumbler.url}/vls/v3", read_seconds=seconds, budget_seconds=seconds)

        assert reason_of(feed) is reason


def test_a_feed_that_fails_again_and_again_is_left_alone_for_a_while(
    server: AnsweringServer, feed_of: FeedOf, bus_clock: Any
) -> None:
    server.will_answer(Answer(status=503))
    feed = feed_of()
    reasons = [reason_of(feed) for _ in range(4)]

    assert reasons == [Failure.THEIR_ERROR, Failure.THEIR_ERROR, Failure.RESTING, Failure.RESTING]
    assert len(server.asked) == FAILURES_MAX

    server.will_answer(Answer(GOOD))
    bus_clock.advance(seconds=REST_SECONDS + 1)
    assert len(feed.fetch().readings) == 1


def test_a_key_that_is_refused_is_no_failure_of_the_feed(server: AnsweringServer, feed_of: FeedOf) -> None:
    server.will_answer(Answer(status=403))

    assert {reason_of(feed_of()) for _ in range(FAILURES_MAX + 3)} == {Failure.KEY_REFUSED}
