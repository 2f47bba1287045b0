"""The limits of remarks, exports and alerts, counted in Django's cache: for all processes, if they share it."""

import logging
from datetime import datetime
from ipaddress import ip_address, ip_network

from django.core.cache import cache
from django.db import Error as DatabaseUnavailable
from django.utils.crypto import salted_hmac

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60  # the length of a window; windows begin at multiples of it
REMARKS_PER_CLIENT = 3  # in a window: enough to correct oneself, too few to flood
IPV6_PREFIX = 64  # bits; a household has such a network to itself
REMARKS_OF_ALL = 60  # in a window: the most that one client with many addresses can flood


EXPORTS_PER_CLIENT = 20  # in a window: a year of one station has twelve months; each takes a second of a process
ALERTS_PER_ACCOUNT = 20  # forms in a window: enough to set up all alerts, too few to keep the site busy


class TooOften(Exception):
    """Enough came for one window. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} s")
        self.retry_after = retry_after


class RemarksTooOften(TooOften):
    """This client, or all clients together, left enough remarks for one window."""


class ExportsTooOften(TooOften):
    """This client exported enough for one window."""


class AlertsTooOften(TooOften):
    """This account changed its alerts often enough for one window."""


def count_alert(*, client: str, now: datetime) -> None:
    """Count one more form of an alert of this account. Raises AlertsTooOften above the limit."""
    window, passed = divmod(int(now.timestamp()), WINDOW_SECONDS)
    if _count(f"stations.alerts:{window}:{client}") > ALERTS_PER_ACCOUNT:
        raise AlertsTooOften(WINDOW_SECONDS - passed)


def count_export(*, client: str, now: datetime) -> None:
    """Count one more export of this client. Raises ExportsTooOften above the limit."""
    window, passed = divmod(int(now.timestamp()), WINDOW_SECONDS)
    who = salted_hmac("stations.export", client, algorithm="sha256").hexdigest()
    if _count(f"stations.exports:{window}:{who}") > EXPORTS_PER_CLIENT:
        raise ExportsTooOften(WINDOW_SECONDS - passed)


def count_remark(*, client: str, now: datetime) -> None:
    """Count one more remark. Raises RemarksTooOften above a limit of this client or of all clients.

    The cache keeps a keyed hash of `client` for one window.
    """
    window, passed = divmod(int(now.timestamp()), WINDOW_SECONDS)
    who = salted_hmac("stations.remark", client, algorithm="sha256").hexdigest()
    for name, most in ((who, REMARKS_PER_CLIENT), ("all", REMARKS_OF_ALL)):
        if _count(f"stations.remarks:{window}:{name}") > most:
            raise RemarksTooOften(WINDOW_SECONDS - passed)


def network_of(address: str) -> str:
    """Return the network that an address counts for: an IPv6 household has one of many addresses."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    mapped = getattr(found, "ipv4_mapped", None)  # a dual-stack server names IPv4 visitors so
    return str(mapped or (found if found.version == 4 else ip_network((int(found), IPV6_PREFIX), strict=False)))


def _count(key: str) -> int:
    """Count one more under this key, and return the new count.

    Returns 0 if the cache's database is unavailable. Then the remark or alert cannot be stored either.
    """
    try:
        cache.add(key, 0, WINDOW_SECONDS)
        return int(cache.incr(key))
    except (DatabaseUnavailable, ValueError):  # ValueError: the window ended between the two lines
        logger.warning("A limit could not be counted", exc_info=True)
        return 0
