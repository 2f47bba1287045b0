"""The page of metrics: what it says of the bus and of requests, and who may read it."""

from contextlib import suppress

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from eventbus import clock
from mcommerce.monitoring.page import bus_state
from outside.circuit_breaker import FAILURES_MAX, OPEN, REST_SECONDS, Service
from tests.eventbus.bus_app import open_house

TOKEN = "a-token-of-this-test-only"


def read(client: Client, **more: str) -> dict[tuple[str, ...], float]:
    """What the page says: values by the name of a series, followed by the values of its labels."""
    bus_state.forget()
    answer = client.get("/metrics", headers=more)
    assert answer.status_code == 200, answer.content
    families = text_string_to_metric_families(answer.content.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}),  # all that nginx adds where only this is configured
        ("127.0.0.1", {"Via": "1.1 proxy"}),
        ("", {}),
    ],
)
def test_who_asks_from_elsewhere_reads_nothing(client: Client, address: str, headers: dict[str, str]) -> None:
    answer = client.get("/metrics", headers=headers, REMOTE_ADDR=address)

    assert answer.status_code == 403
    assert b"METRICS_TOKEN" in answer.content
    assert b"eventbus_" not in answer.content


def test_a_page_of_strangers_reads_nothing_through_a_browser_here(client: Client) -> None:
    assert client.get("/metrics", headers={"Host": "stranger.example"}).status_code == 400


def test_with_a_token_who_shows_it_reads_from_anywhere_and_nobody_else(db: None, client: Client, settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    elsewhere = {"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "pages:8000"}

    shown = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, **elsewhere)
    refused = [client.get("/metrics", headers={"Authorization": text}) for text in ("", "Bearer ", "Bearer guess")]

    assert shown.status_code == 200
    assert b"eventbus_lag_events" in shown.content
    assert [one.status_code for one in refused] == [403, 403, 403]


@pytest.mark.django_db(transaction=True)
def test_the_state_of_the_bus_is_told(client: Client, bus_clock) -> None:
    with open_house() as house:
        house.handler()
        house.say(("a", 1), ("b", 2), ("c", 3))
        clock.advance(seconds=40)

        waits = read(client)

        assert waits["eventbus_outbox_events",] == 3
        assert waits["eventbus_outbox_oldest_seconds",] == 40
        assert waits["eventbus_state_readable",] == 1


@pytest.mark.django_db(transaction=True)
def test_a_fault_of_the_overview_is_told_by_its_kind_while_it_lasts(client: Client, bus_clock) -> None:
    with open_house() as house:
        house.handler()
        before = read(client)
        house.say(("a", 1))
        bus_clock.advance(seconds=40)
        during = read(client)
        house.settle()
        after = read(client)

    told = [("mcommerce_fault", "", "outbox") in one for one in (before, during, after)]
    assert told == [False, True, False]


def test_without_a_database_the_counts_of_processes_are_told(db: None, client: Client, monkeypatch) -> None:
    from django.db import OperationalError

    from mcommerce.monitoring import bus_state as module

    def away() -> None:
        raise OperationalError("no answer")

    client.get("/health/live")
    monkeypatch.setattr(module.status, "status", away)

    told = read(client)

    assert told["eventbus_state_readable",] == 0
    assert told["mcommerce_http_requests_total", "GET", "health-live", "2xx"] >= 1


def test_requests_are_counted_by_route_and_never_by_path(db: None, client: Client) -> None:
    before = read(client)

    client.get("/nothing/here/of/this/name")
    client.get("/products/nothing-of-this-name/")
    client.generic("BREW", "/health/live")
    client.get("/admin/login/")

    told = read(client)
    grown = {series for series, value in told.items() if value > before.get(series, 0) and series[0].endswith("_total")}
    assert {series[1:] for series in grown if series[0] == "mcommerce_http_requests_total"} == {
        ("GET", "none", "4xx"),
        ("GET", "products:detail", "4xx"),
        ("other", "health-live", "4xx"),
        ("GET", "admin", "3xx"),
        ("GET", "metrics", "2xx"),
    }
    assert told["mcommerce_http_request_duration_seconds_count", "none"] >= 1
    assert not any("nothing" in label for series in told for label in series)


def test_an_open_breaker_is_told_until_it_closes(client: Client) -> None:
    service = Service("oracle of this test")

    def calls(error: Exception | None) -> None:
        with suppress(OSError), service.asked():
            if error:
                raise error

    for _ in range(FAILURES_MAX):
        calls(OSError("away"))
    away = OPEN.of(("oracle of this test",))._value.get()
    clock.hold(clock.now())
    try:
        clock.advance(seconds=REST_SECONDS + 1)
        calls(None)
    finally:
        clock.hold(None)

    assert (away, OPEN.of(("oracle of this test",))._value.get()) == (1, 0)
