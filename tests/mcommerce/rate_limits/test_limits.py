"""Who does something too often is told when to come back; others are not held up."""

from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.db import OperationalError, connection
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import translation

from mcommerce.rate_limits.middleware import RateLimitedAnswers
from mcommerce.rate_limits.rate_limit import RateLimit, RateLimited
from mcommerce.rate_limits.visitor_identity import network_of

TWICE_A_MINUTE = RateLimit("tests", 2, 60)


def hit(who: object = "somebody", times: int = 1) -> None:
    for _ in range(times):
        TWICE_A_MINUTE.hit(who)


def test_past_the_limit_one_waits_for_the_window_to_end(bus_clock: Any) -> None:
    bus_clock.hold(bus_clock.now().replace(second=20))
    hit(times=2)

    with pytest.raises(RateLimited) as refused:
        hit()

    assert refused.value.retry_after == 40
    bus_clock.advance(seconds=refused.value.retry_after)
    hit()


def test_others_are_not_held_up(bus_clock: Any) -> None:
    hit(times=2)

    hit("somebody else", times=2)


def test_a_hit_that_is_taken_back_counts_no_more_in_its_window(bus_clock: Any) -> None:
    bus_clock.hold(bus_clock.now().replace(second=20))
    hit(times=2)
    TWICE_A_MINUTE.take_back("somebody")

    hit()
    with pytest.raises(RateLimited):
        hit()


def test_text_that_no_database_takes_is_counted_too(site_cache: BaseCache, bus_clock: Any) -> None:
    hit("\ud800\0", times=2)

    with pytest.raises(RateLimited):
        hit("\ud800\0")


def test_without_its_database_a_limit_refuses_nobody(site_cache: BaseCache) -> None:
    def away(*asked: Any) -> None:
        raise OperationalError("The database is away")

    with connection.execute_wrapper(away):
        hit(times=5)


def test_the_answer_says_when_to_come_back(rf: RequestFactory, db: None) -> None:
    with translation.override("fr"):
        answer = answer_of(rf.get("/"), RateLimited(90))

    assert answer.status_code == 429
    assert answer["Retry-After"] == "90"
    assert "Attendez 2 minutes" in answer.text


def answer_of(request: HttpRequest, error: Exception) -> Any:
    return RateLimitedAnswers(lambda request: None).process_exception(request, error)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),  # else all of IPv4 would be one household
        ("", "unknown"),
        ("\0", "unknown"),
    ],
)
def test_a_household_is_one_visitor(address: str, network: str) -> None:
    assert network_of(address) == network
