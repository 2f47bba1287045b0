"""Feeds that are down, slow, lying or forbidding: each ends as one sentence with a remedy, and none tells the key."""

import gzip
import io
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from stations.feeds.feed_errors import (
    RETRY_AFTER_SECONDS_MAX,
    RETRY_AT_SECONDS_MAX,
    Failure,
    retry_after_seconds,
)
from stations.feeds.feed_interface import PollFailed
from stations.feeds.formats.jcdecaux import JCDecauxFeed
from stations.feeds.http import (
    ANSWER_BYTES_MAX,
    ATTEMPTS_MAX,
)
from tests.stations.feed_server import KEY, Answer, AnsweringServer, encoded
from tests.stations.rows import v3

FeedOf = Callable[..., JCDecauxFeed]
GOOD = encoded([v3(1)])

BAD_ANSWERS = {
    "a page": (Answer(b"<html>Down for maintenance</html>"), Failure.NOT_JSON),
    "half an answer": (Answer(GOOD[: len(GOOD) // 2]), Failure.NOT_JSON),
    "nothing": (Answer(b""), Failure.NOT_JSON),
    "a pit": (Answer(b"[" * 100_000), Failure.NOT_JSON),
    "an object": (Answer(encoded({"error": "no"})), Failure.NOT_A_LIST),
    "no station": (Answer(b"[]"), Failure.EMPTY),
    "forbidden": (Answer(encoded({"error": "Unauthorized"}), 403), Failure.KEY_REFUSED),
    "who are you": (Answer(b"", 401), Failure.KEY_REFUSED),
    "no such contract": (Answer(b"", 404), Failure.NOT_FOUND),
    "too many requests": (Answer(b"", 429), Failure.TOO_MANY),
    "their error": (Answer(b"", 503), Failure.THEIR_ERROR),
    "no content": (Answer(b"", 204), Failure.UNEXPECTED),
    "elsewhere": (Answer(b"", 302, {"Location": "http://127.0.0.1:1/vls/v3/stations"}), Failure.REDIRECTED),
    "broken off": (Answer(GOOD, length=len(GOOD) + 10), Failure.BROKEN_OFF),
    "not packed as it says": (Answer(GOOD, headers={"Content-Encoding": "gzip"}), Failure.BROKEN_OFF),
    "a flood": (
        Answer(gzip.compress(b" " * (ANSWER_BYTES_MAX + 1)), headers={"Content-Encoding": "gzip"}),
        Failure.TOO_LARGE,
    ),
}


def failure_of(feed: JCDecauxFeed) -> PollFailed:
    with pytest.raises(PollFailed) as failed:
        feed.fetch()
    return failed.value


@pytest.mark.parametrize(("answer", "reason"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_an_answer_that_is_none_fails_the_poll_with_its_reason(
    answer: Answer, reason: Failure, server: AnsweringServer, feed_of: FeedOf
):
    server.will_answer(answer)

    assert failure_of(feed_of()).reason == reason


def test_a_feed_that_never_answers_is_given_up(server: AnsweringServer, feed_of: FeedOf):
    server.will_never_answer()

    assert failure_of(feed_of(read_seconds=0.05)).reason == Failure.TOO_SLOW


def test_a_feed_that_drips_is_given_up_when_the_time_is_over(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(Answer(GOOD))

    assert failure_of(feed_of(budget_seconds=0)).reason == Failure.TOO_SLOW


def test_a_feed_that_is_not_there_cannot_be_reached(feed_of: FeedOf):
    assert failure_of(feed_of(base_url="http://127.0.0.1:1/vls/v3")).reason == Failure.UNREACHABLE


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_asked_again_within_the_poll(status: int, server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(Answer(status=status), Answer(status=status), Answer(GOOD))

    assert len(feed_of().fetch().readings) == 1
    assert len(server.asked) == ATTEMPTS_MAX


@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_will_not_pass_is_not_asked_again(status: int, server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(Answer(status=status))

    failure_of(feed_of())

    assert len(server.asked) == 1


def test_a_packed_answer_is_unpacked(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(Answer(gzip.compress(GOOD), headers={"Content-Encoding": "gzip"}))

    assert len(feed_of().fetch().readings) == 1


@pytest.mark.parametrize(
    ("base_url", "key", "reason"),
    [
        ("https://api.jcdecaux.com/vls/v3", "", Failure.KEY_NEEDED),
        ("https://localhost.example.com/vls/v3", "", Failure.KEY_NEEDED),
        ("http://api.jcdecaux.com/vls/v3", KEY, Failure.NOT_ENCRYPTED),
        ("https://someone@api.jcdecaux.com/vls/v3", KEY, Failure.NO_ADDRESS),
        ("ftp://api.jcdecaux.com/vls/v3", KEY, Failure.NO_ADDRESS),
        ("https:///vls/v3", KEY, Failure.NO_ADDRESS),
        ("https://api.jcdecaux.com:port/vls/v3", KEY, Failure.NO_ADDRESS),
    ],
)
def test_an_address_that_must_not_be_asked_is_refused_with_the_remedy(base_url: str, key: str, reason: Failure):
    assert failure_of(JCDecauxFeed(base_url=base_url, key=key)).reason == reason


@pytest.fixture
def all_that_is_logged() -> Iterator[io.StringIO]:
    """Everything any logger says, down to the last detail, as a file of logs would have it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def told(error: BaseException | None) -> str:
    """All that an error, and every error behind it, could tell to a log, a page or a trace."""
    said = []
    while error is not None:
        said.append("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
        said.append(repr(error) + str(error) + repr(vars(error)))
        assert error.__cause__ is None
        error = error.__context__
    return "".join(said)


@pytest.mark.parametrize("answer", [answer for answer, _ in BAD_ANSWERS.values()], ids=BAD_ANSWERS)
def test_no_failed_poll_tells_the_key(
    answer: Answer, server: AnsweringServer, feed_of: FeedOf, all_that_is_logged: io.StringIO
):
    server.will_answer(answer)

    failed = failure_of(feed_of())

    assert KEY in server.asked[0]
    assert KEY not in told(failed)
    assert KEY not in all_that_is_logged.getvalue()


def test_a_good_poll_is_logged_with_the_key_covered(
    server: AnsweringServer, feed_of: FeedOf, all_that_is_logged: io.StringIO
):
    server.will_answer(Answer(GOOD))

    feed = feed_of()
    feed.fetch()

    assert "contract=lyon&apiKey=***" in all_that_is_logged.getvalue()
    assert KEY not in all_that_is_logged.getvalue()
    assert KEY not in repr(feed)


@pytest.mark.parametrize("status", [429, 503])
def test_a_feed_that_says_when_to_come_again_is_not_asked_before(status: int, server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(Answer(status=status, headers={"Retry-After": "120"}))

    failed = failure_of(feed_of())

    assert (failed.retry_after_seconds, len(server.asked)) == (120, 1)
    assert failed.detail == f"HTTP {status}, Retry-After: 120 s"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("20000", 20_000),
        ("Fri, 01 May 2026 12:02:00 GMT", 120),
        ("Fri, 01 May 2026 11:00:00 GMT", 0),
        ("Fri, 01 May 2099 12:00:00 GMT", RETRY_AT_SECONDS_MAX),
        ("9" * 400, RETRY_AFTER_SECONDS_MAX),
        ("", None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_when_to_come_again_is_told_in_seconds_or_as_a_date(bus_clock, header: str, seconds: float | None):
    bus_clock.hold(datetime(2026, 5, 1, 12, tzinfo=UTC))

    assert retry_after_seconds(header) == seconds


def test_waits_between_attempts_grow_and_are_not_all_alike(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(Answer(status=503))
    waits: list[float] = []

    for _ in range(5):
        failure_of(feed_of(sleep=waits.append, backoff_seconds=0.1))

    assert all(0.1 <= wait <= 0.2 for wait in waits[::2])
    assert all(0.2 <= wait <= 0.4 for wait in waits[1::2])
    assert len(set(waits)) == len(waits)


def test_no_attempt_starts_after_the_time_of_the_poll(server: AnsweringServer, feed_of: FeedOf):
    server.will_answer(Answer(status=503))

    failure_of(feed_of(backoff_seconds=60))

    assert len(server.asked) == 1


def test_neither_silence_nor_absence_tells_the_key(
    server: AnsweringServer, feed_of: FeedOf, all_that_is_logged: io.StringIO
):
    server.will_never_answer()

    silent = failure_of(feed_of(read_seconds=0.05))
    absent = failure_of(feed_of(base_url="http://127.0.0.1:1/vls/v3"))

    assert KEY not in told(silent) + told(absent)
    assert KEY not in all_that_is_logged.getvalue()
