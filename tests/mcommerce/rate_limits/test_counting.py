"""What is counted is counted once, by however many threads and processes at the same time."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.db import connection, connections

from mcommerce.rate_limits.counting_cache import CountingCache
from mcommerce.rate_limits.models import CacheEntry
from stations.limits import REMARKS_PER_CLIENT
from tests.live_site import ROOT

THREADS = 4
HITS = 25  # by each
PROGRAM = """
import django; django.setup()
from datetime import UTC, datetime
from mcommerce.rate_limits.rate_limit import RateLimit, RateLimited
from stations.limits import RemarksTooOften, count_remark
limit, at = RateLimit("tests", {at_most}, 3_600), datetime(2026, 5, 1, tzinfo=UTC)
refused = 0
for _ in range({at_most}):
    try: {act}
    except (RateLimited, RemarksTooOften): refused += 1
print(refused)
"""


def at_once(act: Callable[[], Any]) -> list[Any]:
    """What each of several threads got, each with a connection of its own, begun in the same moment."""
    barrier = Barrier(THREADS)

    def run() -> Any:
        try:
            barrier.wait()
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        return [each.result() for each in [pool.submit(run) for _ in range(THREADS)]]


def test_counts_of_several_connections_all_count(site_cache: BaseCache) -> None:
    site_cache.add("count", 0)

    at_once(lambda: [site_cache.incr("count") for _ in range(HITS)])

    assert site_cache.get("count") == THREADS * HITS


def test_of_several_who_add_a_key_one_does(site_cache: BaseCache) -> None:
    assert sum(at_once(lambda: site_cache.add("lock", 1))) == 1


def test_of_several_who_add_a_key_that_has_expired_one_does(site_cache: BaseCache) -> None:
    site_cache.set("lock", 1, timeout=-1)

    assert sum(at_once(lambda: site_cache.add("lock", 1))) == 1


@pytest.mark.parametrize(
    ("act", "at_most"),
    [('limit.hit("somebody")', HITS), ('count_remark(client="somebody", now=at)', REMARKS_PER_CLIENT)],
)
def test_two_processes_share_a_limit(site_cache: BaseCache, act: str, at_most: int) -> None:
    program = PROGRAM.format(act=act, at_most=at_most)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    refused = [int(process.communicate()[0]) for process in processes]

    assert sum(refused) == at_most


def environment() -> dict[str, str]:
    """Ours, with the tests' database as the site's."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        url = f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"
    return {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "mcommerce.settings"}


def test_an_expired_count_begins_anew(site_cache: BaseCache) -> None:
    site_cache.set("count", 7, timeout=-1)

    with pytest.raises(ValueError):
        site_cache.incr("count")
    assert site_cache.add("count", 0)

    assert site_cache.incr("count") == 1


def test_expired_entries_leave_the_table_and_others_stay(site_cache: BaseCache, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.OftenCulled", "LOCATION": "cache_entry"}}
    site_cache.set("old", 1, timeout=-1)
    for number in range(400):  # more than Django's own would keep
        site_cache.set(f"new{number}", 1)

    assert CacheEntry.objects.count() == 400
    assert not CacheEntry.objects.filter(cache_key__endswith="old").exists()


class OftenCulled(CountingCache):
    writes_per_cull = 1
