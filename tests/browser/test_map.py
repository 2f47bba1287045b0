"""The map and its pages tell the truth, and leave reader and address in charge."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser import page_states
from tests.browser.finding_pages import PHONE
from tests.live_site import LiveSite
from tests.waiting import until

DASHBOARD = "/stations/"
CITY = f"{DASHBOARD}?contract={page_states.CONTRACT}"
STATION = f"{DASHBOARD}simulator/{page_states.CONTRACT}-1001/"
PAGES = [DASHBOARD, CITY, STATION, "/stations/producer/"]


def shell(site: LiveSite, *lines: str) -> None:
    site.manage("shell", "--command", "\n".join(lines))


def steer(site: LiveSite, *, running: bool) -> None:
    imports = "from eventbus import clock; from stations.services.poll_schedule import steer"
    shell(site, f"{imports}; steer(feed='simulator', now=clock.now(), running={running})")


@contextmanager
def no_polls(site: LiveSite) -> Iterator[None]:
    steer(site, running=False)
    try:
        yield
    finally:
        steer(site, running=True)


def see_live(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


# --- fingers, the address ----------------------------------------------------------------------------------


@pytest.mark.viewports
def test_a_finger_that_begins_on_the_map_scrolls_the_page(open_page, live_site: LiveSite) -> None:
    page = open_page(**PHONE)
    see_live(page, DASHBOARD)
    page.locator("#map").scroll_into_view_if_needed()
    expect(page.locator(".map__hint")).to_be_visible()
    box = page.locator("#map").bounding_box()
    before = page.evaluate("scrollY")

    finger = page.context.new_cdp_session(page)
    x, y = box["x"] + 100, box["y"] + 200
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 11):
        moved = {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 15 * step}]}
        finger.send("Input.dispatchTouchEvent", moved)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    until(lambda: page.evaluate("scrollY") > before + 50, "the page scrolled", seconds=10)


TITLES = {  # of all cities, and of Lyon
    "en-GB": ("Bike stations, live · Mcommerce", "Lyon · Bike stations, live · Mcommerce"),
    "fr-FR": ("Stations de vélos, en direct · Mcommerce", "Lyon · Stations de vélos, en direct · Mcommerce"),
}


@pytest.mark.viewports
@pytest.mark.parametrize("locale", TITLES)
def test_title_city_and_camera_follow_the_address_back_and_forth(open_page, live_site: LiveSite, locale: str) -> None:
    world, lyon = TITLES[locale]
    page = open_page(locale=locale)
    see_live(page, DASHBOARD)
    expect(page).to_have_title(world)

    page.locator("#city").select_option(page_states.CONTRACT)
    expect(page).to_have_title(lyon)
    expect(page.locator("h1")).to_have_text("Lyon")
    expect(page.locator("#map")).to_have_class(re.compile("map--near"))
    assert page.url.endswith(CITY)

    page.go_back()
    expect(page).to_have_title(world)
    expect(page.locator("#city")).to_have_value("")
    expect(page.locator("#map")).not_to_have_class(re.compile("map--near"))
    page.go_forward()
    expect(page).to_have_title(lyon)
    expect(page.locator("#map")).to_have_class(re.compile("map--near"))

    page.locator("button[name=language][value=fr]").click()
    expect(page).to_have_title(TITLES["fr-FR"][1])


# --- what is live, and what is not ----------------------------------------------------------------------------------

RECORD_FAILURE = (
    "from time import perf_counter; from eventbus import clock; from stations.services import recording",
    "from stations.feeds.feed_interface import PollFailed; from stations.feeds.feed_errors import Failure",
    "failed = PollFailed(Failure.THEIR_ERROR, 'HTTP 503')",
    "poll = recording.Poll(feed='simulator', asked_at=clock.now(), began=perf_counter(), failed=failed)",
    "recording.record_poll(poll=poll, now=clock.now())",
)


def test_while_the_feed_answers_503_no_page_calls_itself_live(open_page, live_site: LiveSite) -> None:
    pages = [open_page() for _ in PAGES]
    for page, path in zip(pages, PAGES, strict=True):
        see_live(page, path)

    with no_polls(live_site):
        shell(live_site, *RECORD_FAILURE)
        for page in pages:
            expect(page.locator("#connection")).to_have_attribute("data-state", "stale")
            expect(page.locator("#connection")).to_contain_text("Not live: the feed does not answer as it should")
            expect(page.locator("#feed-alerts")).to_contain_text("The feed has an error of its own")
            expect(page.locator("#feed-alerts")).to_contain_text(
                re.compile(r"What you see is from .*(second|minute|now)")
            )

    for page in pages:
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator("#feed-alerts .feed-alert")).to_have_count(0)


MARK_UNREADABLE = (
    "from time import perf_counter; from eventbus import clock; from stations.services import recording",
    "from stations.feeds.feed_interface import Bad, Fetched, Key, diff",
    f"key = Key('simulator', '{page_states.CONTRACT}-1001')",
    "held = recording.load_held('simulator')",
    "changes = diff(held, Fetched([], {}, set(held), True, {key: Bad.COUNTS}))",
    "poll = recording.Poll(feed='simulator', asked_at=clock.now(), began=perf_counter(), changes=changes)",
    "recording.record_poll(poll=poll, now=clock.now())",
)


@pytest.mark.viewports
def test_an_open_page_marks_the_station_whose_row_turned_bad(page: Page, live_site: LiveSite) -> None:
    see_live(page, STATION)
    with no_polls(live_site):
        shell(live_site, *MARK_UNREADABLE)

        expect(page.locator("#unreadable")).to_be_visible()
        expect(page.locator("#unreadable")).to_contain_text("counts missing or not whole numbers")
        expect(page.locator("#status")).to_have_text("unreadable")


# --- remarks, the log, the search -----------------------------------------------------------------------------------


@pytest.mark.viewports
def test_a_deleted_remark_goes_from_every_open_page(open_page, live_site: LiveSite) -> None:
    producer, dashboard = open_page(), open_page()
    see_live(producer, reverse("stations:producer"))
    see_live(dashboard, f"{DASHBOARD}#tab=remarks")
    producer.locator("#id_message").fill("Something rude")
    producer.locator("[data-reset] button").click()
    for page in (producer, dashboard):
        expect(page.locator("#remarks").get_by_text("Something rude")).to_be_visible()

    delete = "recording.delete_remarks(Remark.objects.values_list('pk', flat=True))"
    shell(live_site, f"from stations.services import recording; from stations.models import Remark; {delete}")

    for page in (producer, dashboard):
        expect(page.locator("#remarks li")).to_have_count(0)
        expect(page.locator("#remarks-none")).to_be_visible()
