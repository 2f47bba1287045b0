"""What people do on a site whose roles are processes of their own, over Apache Kafka and PostgreSQL."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests import waiting
from tests.browser import page_states
from tests.browser.test_journeys import moved_from, shown_rows, stop_polling
from tests.collector import loose_ends, running_collector
from tests.split_site import SplitSite, running_split_site

pytestmark = pytest.mark.sites

WAIT_SECONDS = 90  # a dozen processes on a loaded two-core machine
LIVE = ("live1", "live2")

until = partial(waiting.until, seconds=WAIT_SECONDS)


@pytest.fixture(scope="module")
def split_site(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> Iterator[SplitSite]:
    """All of it once, for the tests of this module."""
    with running_collector() as collector:
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with running_split_site(tmp_path_factory.mktemp("split"), kafka, traces | {"LOG_FORMAT": "json"}) as site:
            site.collector = collector
            yield site


def test_an_order_is_paid_across_all_processes_and_its_page_follows(page: Page, split_site: SplitSite) -> None:
    page_states.place_order(page, split_site)
    watched = page.context.new_page()
    watched.goto(page.url)
    expect(watched.locator("#order-state")).to_have_attribute("data-state", "live")
    watched.evaluate("document.body.dataset.loadedOnce = 'yes'")

    page.locator("#pay").click()
    page.wait_for_url(split_site.provider_url + "/**")
    page_states.type_card(page, page_states.GOOD_CARD)

    expect(watched.locator("#order-now .page-head .badge--good")).to_be_visible()
    assert watched.evaluate("document.body.dataset.loadedOnce") == "yes", "the page was loaded again"
    page.wait_for_url(split_site.url + "/orders/*/")
    assert split_site.rows("SELECT state FROM orders_order") == [("paid",)]
    until(lambda: handled_of(split_site, "order.paid.v1") >= {"mail", "products"}, "what follows from it")
    assert split_site.ended() == []


def test_an_order_is_one_connected_trace_over_all_processes(split_site: SplitSite) -> None:
    """The order that the test above has placed."""
    [(headers,)] = split_site.rows("SELECT headers FROM eventbus_outbox WHERE type = 'order.placed.v1'")
    trace = json.loads(headers)["traceparent"].split("-")[1]
    wanted = {("pages", "POST orders:checkout"), ("relay", "append orders"), ("handle", "process orders")}
    wanted |= {("pages", "payment answer"), ("handle", "effect mail")}

    def is_whole() -> bool:
        spans = split_site.collector.trace(trace)
        return wanted <= {(span.role, span.name) for span in spans} and not loose_ends(spans)

    until(is_whole, "one trace of three roles, without loose ends")
    correlations = split_site.rows(
        "SELECT DISTINCT headers::json->>'correlationid' FROM eventbus_outbox WHERE topic IN ('orders', 'payment')"
    )
    assert [one.replace("-", "") for (one,) in correlations] == [trace]


def handled_of(site: SplitSite, kind: str) -> set[str]:
    """The groups that have handled an event of this type."""
    question = """SELECT DISTINCT inbox."group" FROM eventbus_inbox inbox
        JOIN eventbus_outbox event ON event.event_id = inbox.event_id WHERE event.type = %s"""
    return {row[0] for row in site.rows(question, kind)}


def test_two_processes_show_the_same_map_and_it_is_the_one_in_the_database(
    open_page: Callable[..., Page], split_site: SplitSite
) -> None:
    until(lambda: stations_in(split_site), "a first poll")
    pages = {name: open_page(base_url=split_site.address(name)) for name in LIVE}
    for page in pages.values():
        page_states.live("stations:dashboard", query=f"?contract={page_states.CONTRACT}")(page, split_site)
        moved_from(page.locator("#dashboard"), timeout_ms=WAIT_SECONDS * 1000)

    stop_polling(open_page())

    for name, page in pages.items():
        until(lambda page=page: shown_rows(page) == stations_in(split_site), f"{name} as far as the database")
    assert [row[0] for row in split_site.rows("SELECT count(*) FROM eventbus_deadletter")] == [0]
    assert split_site.ended() == []


def test_an_operator_sees_every_process_and_what_it_does(split_site: SplitSite) -> None:
    progress = split_site.rows("""SELECT "group", topic, partition FROM eventbus_progress""")
    partitions = sorted(f"{group} {topic}/{number}" for group, topic, number in progress)
    until(lambda: sorted(all_read(split_site)) == partitions, "each partition of each group read by one process")

    processes = told(split_site)

    assert Counter(one["role"] for one in processes) == {"pages": 1, "live": 2, "relay": 2, "handle": 2, "poll": 2}
    assert {one["pid"] for one in processes if one["role"] == "handle"} == pids(split_site, "handle1", "handle2")
    assert sorted(one["state"] for one in processes if one["role"] == "relay") == ["active", "standby"]
    assert sorted(one["state"] for one in processes if one["role"] == "poll") == ["active", "standby"]


def told(site: SplitSite) -> list[dict[str, Any]]:
    return json.loads(site.manage("eventbus", "status", "--no-audit", "--json"))["processes"]


def all_read(site: SplitSite) -> list[str]:
    """Group and partition, as often as a process says that it reads it."""
    said = site.rows("SELECT assignment FROM eventbus_process WHERE role = 'handle'")
    groups = [(group, partitions) for (assignment,) in said for group, partitions in assignment.items()]
    return [f"{group} {partition}" for group, partitions in groups for partition in partitions]


def pids(site: SplitSite, *names: str) -> set[int]:
    return {site.processes[name].pid for name in names}


def test_one_poller_asks_and_another_takes_over_when_it_is_killed(split_site: SplitSite, page: Page) -> None:
    page.goto(reverse("stations:producer"))
    page.locator(".plan button[value=start]").click()
    before = polls_of(split_site)
    until(lambda: sum(polls_of(split_site).values()) > sum(before.values()) + 2, "polls")
    [active] = [name for name, polls in polls_of(split_site).items() if polls > before[name]]
    [standby] = before.keys() - {active}
    recorded = last_poll(split_site)

    split_site.kill_one(active)

    until(lambda: polls_of(split_site)[standby] > before[standby] + 1, "the other polls")
    until(lambda: last_poll(split_site) > recorded + 1, "and records it")
    split_site.play(active, "poll")


def polls_of(site: SplitSite) -> dict[str, int]:
    """How often each said that it had polled."""
    return {name: (site.directory / f"{name}.log").read_text().count(" fetched, ") for name in ("poll1", "poll2")}


def last_poll(site: SplitSite) -> int:
    return int(site.rows("SELECT max(id) FROM stations_pollrun")[0][0])


def stations_in(site: SplitSite) -> dict[str, tuple[int, int]]:
    """Bikes and free stands of every station of the city, by the end of its address."""
    question = "SELECT feed, station_id, bikes, stands FROM stations_station WHERE contract = %s AND NOT gone"
    return {
        f"{feed}/{station_id}": (bikes, stands)
        for feed, station_id, bikes, stands in site.rows(question, page_states.CONTRACT)
    }
