"""The reasons why polls fail, each with its remedy, and those that HTTP statuses mean.

The reasons hold no values, so that pages can translate them.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from eventbus import clock
from stations.feeds.feed_interface import PollFailed
from stations.feeds.texts import gettext_noop as _

RETRY_AFTER_SECONDS_MAX = 86_400.0  # a day, after which a daily quota starts again; more is a mistake
RETRY_AT_SECONDS_MAX = 3_600.0  # an hour, for a date: a feed with a wrong clock must not stop our polls for long


class Failure(StrEnum):
    KEY_NEEDED = _(
        "This feed answers only with a key: get one from developer.jcdecaux.com and set JCDECAUX_API_KEY, "
        "or set STATIONS_FEEDS=simulator."
    )
    KEY_REFUSED = _("The feed refused the request: the key is missing or wrong. Check JCDECAUX_API_KEY.")
    NOT_ENCRYPTED = _("A key is sent over https only: change the feed's address to https.")
    NO_ADDRESS = _("The feed's address is not one: it looks like https://host/vls/v3.")
    NOT_FOUND = _("The feed has no such page or contract: check the feed's address and the contract's name.")
    TOO_MANY = _("The feed wants fewer requests: make the interval longer.")
    REDIRECTED = _("The feed sends us elsewhere, which is not followed: check the feed's address.")
    THEIR_ERROR = _("The feed has an error of its own: nothing to do here but wait.")
    UNEXPECTED = _("The feed gave an unexpected answer: check the feed's address.")
    UNREACHABLE = _("The feed cannot be reached: check the network and the feed's address.")
    TOO_SLOW = _("The feed did not answer in time: wait, or look for what slows the network.")
    RESTING = _("The feed failed several times in a row: it is left alone for some seconds, then asked again.")
    BROKEN_OFF = _("The feed's answer broke off: nothing to do here but wait.")
    TOO_LARGE = _("The feed's answer is too large to be a list of stations: check the feed's address.")
    NOT_JSON = _("The feed's answer is not JSON, or only a part of it: check the feed's address.")
    NOT_A_LIST = _("The feed's answer is not a list: check the feed's address.")
    NOT_GBFS = _("The feed's answer is not a GBFS document: check the feed's address, which ends in gbfs.json.")
    NO_STATIONS = _("The system lists no stations: its feed may have free-floating vehicles only.")
    PRIVATE = _(
        "The feed's address is inside a private network: choose a public one, or set STATIONS_PRIVATE_FEEDS=true."
    )
    EMPTY = _("The feed listed no station: check the contract's name, or wait.")
    NOTHING_GOOD = _("Every row of the feed's answer was bad: look at the reasons beside it.")
    SHORTENED = _(
        "The feed's list is more than a fifth shorter than the last: it is believed once a second answer is the same."
    )
    OVERTAKEN = _("Another poller recorded the same stations meanwhile: run only one for each feed.")
    OUR_ERROR = _("The poll stopped on an error of our own: the log of the poller has it.")


def failure_of_status(status: int, retry_after: str) -> tuple[PollFailed, bool]:
    """Return the failure that this status means, and True if a retry may help now."""
    failure = {
        HTTPStatus.UNAUTHORIZED: Failure.KEY_REFUSED,
        HTTPStatus.FORBIDDEN: Failure.KEY_REFUSED,
        HTTPStatus.NOT_FOUND: Failure.NOT_FOUND,
        HTTPStatus.TOO_MANY_REQUESTS: Failure.TOO_MANY,
    }.get(status)  # type: ignore[call-overload]
    if failure is None:
        failure = {3: Failure.REDIRECTED, 5: Failure.THEIR_ERROR}.get(status // 100, Failure.UNEXPECTED)
    may_pass = failure in (Failure.TOO_MANY, Failure.THEIR_ERROR)
    wait = retry_after_seconds(retry_after) if may_pass else None
    if wait is None:
        return PollFailed(failure, f"HTTP {status}"), may_pass
    told = f"HTTP {status}, Retry-After: {wait:.0f} s"
    return PollFailed(failure, told, retry_after_seconds=wait), False  # Retry-After forbids a retry now


def retry_after_seconds(header: str) -> float | None:
    """Return the seconds that a `Retry-After` header demands; None if it demands none or cannot be read.

    RFC 9110 allows a number of seconds, here cut to RETRY_AFTER_SECONDS_MAX. Or it is a date, here at most
    RETRY_AT_SECONDS_MAX ahead.
    """
    header = header.strip()
    if header.isascii() and header.isdigit():
        return min(float(header), RETRY_AFTER_SECONDS_MAX)
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max((when - clock.now()).total_seconds(), 0.0), RETRY_AT_SECONDS_MAX)
