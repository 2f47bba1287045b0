"""Staff who may look into payloads find events, page by page, and take a page away as a file."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from eventbus import clock
from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from eventbus.reports import events

PAGE = "/eventbus/events/"
NOW = clock.now()
TYPES = ("order.placed.v1", "order.paid.v1")

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(staff_with: Callable[..., Client]) -> Client:
    return staff_with("view_outboxrow", "view_payload")


def add(count: int, **values: Any) -> list[OutboxRow]:
    """Sent rows of one key, a second apart, the types in turn."""
    given = {"topic": "orders", "key": "order-1", "payload": b'{"number": "M-1"}', "headers": '{"source":"/mcommerce"}'}
    return OutboxRow.objects.bulk_create(
        OutboxRow(
            **{
                **given,
                "type": TYPES[number % 2],
                "event_id": uuid7(),
                "created_at": NOW + timedelta(seconds=number),
                "partition": 0,
                "offset": number + OutboxRow.objects.count(),
                **values,
            }
        )
        for number in range(count)
    )


def numbers(client: Client, query: str = "") -> list[int]:
    """The events on a page of the list, by the numbers in their links."""
    html = client.get(PAGE + query).content.decode()
    return [int(one.partition("/")[0]) for one in html.split(f'href="{PAGE}')[1:] if one[0].isdigit()]


def older(client: Client, query: str = "") -> str:
    """The query of the next page; "" if there is none."""
    html = client.get(PAGE + query).content.decode()
    _, found, rest = html.partition('rel="next" href="')
    return rest.partition('"')[0].replace("&amp;", "&") if found else ""


def test_every_event_is_on_exactly_one_page_newest_first(reader: Client) -> None:
    rows = add(events.PAGE_EVENTS * 2 + 3)
    seen, query = [], ""
    while True:
        seen += numbers(reader, query)
        if not (query := older(reader, query)):
            break

    assert seen == sorted((row.pk for row in rows), reverse=True)


def test_an_event_that_comes_between_two_pages_moves_none(reader: Client) -> None:
    rows = add(events.PAGE_EVENTS + 1)
    query = older(reader)
    add(5)

    assert numbers(reader, query) == [rows[0].pk]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?type=order.paid.v1", [1, 3]),
        ("?topic=orders", [0, 1, 2, 3]),
        ("?topic=payment", []),
        ("?key=order-1", [0, 1, 2, 3]),
        ("?key=order-2", []),
        ("?key=order-1&type=order.placed.v1", [0, 2]),
    ],
)
def test_events_are_found_by_type_topic_and_key(reader: Client, query: str, expected: list[int]) -> None:
    rows = add(4)

    assert numbers(reader, query) == [rows[place].pk for place in reversed(expected)]


def test_events_are_found_by_time(reader: Client) -> None:
    rows = add(3)
    OutboxRow.objects.filter(pk=rows[0].pk).update(created_at=NOW - timedelta(hours=2))
    hour_ago = f"{NOW - timedelta(hours=1):%Y-%m-%dT%H:%M}"

    assert numbers(reader, f"?since={hour_ago}") == [rows[2].pk, rows[1].pk]
    assert numbers(reader, f"?until={hour_ago}") == [rows[0].pk]
    assert numbers(reader, f"?until={hour_ago}&key=order-1") == [rows[0].pk]


def test_the_query_of_a_page_reads_rows_by_an_index(reader: Client) -> None:
    add(3)
    for query in ("?type=order.paid.v1", "?key=order-1", "?key=order-1&before=3"):
        with CaptureQueriesContext(connection) as captured:
            reader.get(PAGE + query)
        listing = [one["sql"] for one in captured if '"eventbus_outbox"."event_id"' in one["sql"]]
        assert listing and all("LIMIT" in one for one in listing)
        if connection.vendor == "sqlite":
            plans = [str(row) for sql in listing for row in connection.cursor().execute(f"EXPLAIN QUERY PLAN {sql}")]
            assert not [one for one in plans if "SCAN" in one and "INDEX" not in one], plans


def test_one_event_is_shown_decoded_raw_and_with_its_headers(reader: Client) -> None:
    _placed, row = add(2)

    html = reader.get(reverse("bus-event", args=[row.pk])).content.decode()

    assert "&quot;number&quot;: &quot;M-1&quot;" in html  # indented, and as it is stored
    assert html.count("M-1") == 2
    assert "<dt>source</dt><dd>/mcommerce</dd>" in html
    assert f"/eventbus/journey/?q={row.event_id}" in html
    assert "/eventbus/groups/#group-mail" in html


def test_an_event_that_nobody_can_read_is_shown_all_the_same(reader: Client) -> None:
    [row] = add(1, payload=b"\xff<script>", headers="broken", type="somebody.elses.v1")

    html = reader.get(reverse("bus-event", args=[row.pk])).content.decode()

    assert "\\xff&lt;script&gt;" in html and "/eventbus/catalogue/somebody" not in html


def test_a_page_is_exported_as_json_lines(reader: Client) -> None:
    rows = add(2)
    [broken] = add(1, payload=b"\xff")

    answer = reader.get(reverse("bus-events-export") + "?key=order-1")
    lines = [json.loads(line) for line in answer.content.splitlines()]

    assert answer["Content-Type"] == "application/x-ndjson"
    assert [one["id"] for one in lines] == [str(row.event_id) for row in (broken, *reversed(rows))]
    assert lines[1] == {
        "source": "/mcommerce",
        "topic": "orders",
        "partition": 0,
        "offset": rows[1].offset,
        "type": "order.paid.v1",
        "key": "order-1",
        "id": str(rows[1].event_id),
        "data": {"number": "M-1"},
    }
    assert lines[0]["data_base64"] == "/w=="
