"""The overview takes few queries, however much is wrong, and however many groups, processes and feeds there are."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from eventbus import clock
from eventbus.ids import uuid7
from eventbus.models import (
    ConsumerGroup,
    DeadLetter,
    IgnoredType,
    LostRecords,
    OutboxRow,
    ParkedKey,
    ProcessRow,
    Progress,
    ReplayRun,
    Timer,
    UntrustedRecord,
)
from mcommerce import readiness
from mcommerce.payment.services import webhook_refusals
from stations.models import PollRun
from tests.mcommerce.overview.conftest import FEED

PAGE = "/eventbus/"
QUERIES_MAX = 12  # of the whole page: four are for the session, the user and two kinds of permissions
RARE = (
    6  # tables that are read only if they have rows: lost, ignored, untrusted with an example, replays with their end
)
OF_REJECTED = 2  # which keys they stop, and how many events wait behind them
EVENT = {"type": "t", "key": "k", "payload": b"", "headers": "{}"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The readiness of a server is checked by a thread of its own."""
    monkeypatch.setattr(readiness, "found", lambda: {})


def everything_often_wrong() -> None:
    now, long_ago = clock.now(), clock.now() - timedelta(hours=1)
    ConsumerGroup.objects.filter(name="mail").update(breaker_opened_at=now, breaker_reason="7 of 10 failed")
    at = {"group": "orders", "topic": "stock", "partition": 0}
    DeadLetter.objects.create(
        **at, **EVENT, event_id=uuid7(), offset=1, parks=True, attempts=8, error="gone", died_at=long_ago
    )
    for number, state in enumerate(ParkedKey.State.values):
        ParkedKey.objects.create(**at, key=f"{number}", state=state, due_at=now, parked_at=long_ago)
    Timer.objects.create(**EVENT, topic="stock", event_id=uuid7(), due=long_ago)
    OutboxRow.objects.create(**EVENT, topic="stock", event_id=uuid7(), created_at=long_ago)
    for _refusal in range(webhook_refusals.TOLD_FROM):
        webhook_refusals.note_refused(provider="sandbox", reason="too old", now=now, is_signed=True)
    PollRun.objects.create(feed=FEED, ms=1, started=now, outcome="failed", reason="unreachable")


def everything_rarely_wrong() -> None:
    now = clock.now()
    at = {"group": "orders", "topic": "stock", "partition": 0}
    IgnoredType.objects.create(**at, type="order.gifted.v1", events=1, first_at=now, last_at=now)
    LostRecords.objects.create(**at, generation="", begin=0, end=1, count=1, noted_at=now)
    UntrustedRecord.objects.create(**at, offset=1, event_id=uuid7(), type="t", key="k", source="them", seen_at=now)
    OutboxRow.objects.create(**EVENT, topic="orders", event_id=uuid7(), created_at=now, rejected="too large")
    ReplayRun.objects.create(group="orders", who="ada", began_at=now, ended_at=now, state=ReplayRun.State.FAILED)


def faults(client: Client) -> int:
    return client.get(PAGE).content.decode().count('class="fault__title"')


def test_a_well_site_takes_twelve(operator: Client, django_assert_max_num_queries: Any) -> None:
    operator.get(PAGE)
    with django_assert_max_num_queries(QUERIES_MAX):
        assert faults(operator) == 0


def test_rare_faults_take_one_for_each_table(operator: Client, django_assert_max_num_queries: Any) -> None:
    everything_often_wrong()
    often = faults(operator)
    everything_rarely_wrong()
    operator.get(PAGE)

    with django_assert_max_num_queries(QUERIES_MAX + RARE + OF_REJECTED):
        assert faults(operator) == often + 5


def test_they_do_not_grow_with_groups_partitions_processes_and_feeds(
    operator: Client, settings: Any, django_assert_max_num_queries: Any
) -> None:
    now = clock.now()
    Progress.objects.bulk_create(
        Progress(group=f"group-{number}", topic="orders", partition=partition)
        for number in range(20)
        for partition in range(8)
    )
    ProcessRow.objects.bulk_create(
        ProcessRow(id=uuid7(), role="handle", host="there", pid=number, began_at=now, beat_at=now)
        for number in range(20)
    )
    settings.STATIONS_FEEDS = [f"jcdecaux:{city}" for city in ("lyon", "nantes", "toulouse", "brisbane")]
    for feed in settings.STATIONS_FEEDS:
        for outcome in ("ok", "failed"):
            PollRun.objects.create(feed=feed, ms=1, started=now, outcome=outcome)
    operator.get(PAGE)

    with django_assert_max_num_queries(QUERIES_MAX):
        operator.get(PAGE)
