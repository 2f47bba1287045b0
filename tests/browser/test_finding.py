"""A bike found on a telephone: the first screen, the search, favourites, tabs, the address, a station's page."""

import json
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.finding_pages import CITY, LOCATED, PHONE, see_live, stations_of
from tests.live_site import LiveSite

pytestmark = pytest.mark.viewports

# --- the first screen -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_search_map_and_nearest_station_are_on_the_first_screen_of_a_phone(open_page, live_site, locale: str) -> None:
    page = open_page(**PHONE, **LOCATED, locale=locale)
    see_live(page)
    expect(page.locator("#nearest-list .stand")).to_have_count(3)

    assert page.evaluate("scrollY") == 0
    for part in ("#find", "#map", "#nearest-list .stand:first-child"):
        box = page.locator(part).bounding_box()
        assert box and box["y"] + box["height"] <= 740, part
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_javascript_every_section_and_every_station_is_there(open_page, live_site: LiveSite) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(f"{CITY}&q=metro")

    for part in ("#stations", "#cities", "#ticker-title", "#remarks-none"):
        expect(page.locator(part)).to_be_visible()
    assert page.locator("#stations tbody th").count() == 50
    assert "MÉTRO" in page.locator("#stations tbody").inner_text()
    page.locator("#stations-pages a").click()
    expect(page).to_have_url(re.compile("q=metro.*page=2"))


def test_pages_of_the_table_reach_every_station_by_key(page: Page, live_site: LiveSite) -> None:
    see_live(page)
    wanted = {station["name"] for station in stations_of(page)}
    seen: set[str] = set()
    on = page.locator("#stations-pages [data-turn=on]")
    on.focus()

    for number in range(len(wanted) // 50 + 1):
        expect(page.locator("#stations-pages [role=status]")).to_contain_text(f"Page {number + 1} of")
        seen.update(page.locator("#stations tbody th a").all_inner_texts())
        page.keyboard.press("Enter")

    assert seen == wanted
    expect(on).to_be_focused()


# --- the search -----------------------------------------------------------------------------------------------------


def test_metro_finds_metro_with_its_accent_and_keys_choose_it(page: Page, live_site: LiveSite) -> None:
    see_live(page)
    box = page.get_by_role("combobox", name="Find a station or a city")
    box.fill("metro zola")
    first = page.get_by_role("option").first
    expect(first).to_contain_text("MÉTRO ZOLA")
    expect(first).to_contain_text("Lyon")
    name = first.locator(".find__name").inner_text()

    page.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "find-option-0")
    page.keyboard.press("Enter")

    expect(page.locator("#selected")).to_contain_text(name)
    expect(page).to_have_url(re.compile("[#&]station="))
    page.go_back()
    expect(page.locator("#selected")).to_be_hidden()
    page.go_forward()
    expect(page.locator("#selected")).to_contain_text(name)


# --- favourites, the address ----------------------------------------------------------------------------------------


def test_favourites_stay_on_this_device_until_they_are_removed(open_page, live_site: LiveSite) -> None:
    page = open_page()
    see_live(page)
    assert page.evaluate("localStorage.length") == 0
    mine = next(station for station in stations_of(page) if station["status"] == "OPEN")
    page.locator("#find").fill(mine["name"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#selected [data-favourite]").click()

    page.reload()
    expect(page.locator("#favourites")).to_contain_text(mine["name"])
    expect(page.locator("#favourites")).to_contain_text("Kept on this device only.")
    other = open_page()
    see_live(other)
    expect(other.locator("#favourites")).to_be_hidden()

    with page.expect_download() as download:
        page.locator("#favourites-export").click()
    assert [one["name"] for one in json.loads(download.value.path().read_text())] == [mine["name"]]
    page.locator("#favourites-clear").click()
    expect(page.locator("#favourites")).to_be_hidden()
    assert page.evaluate("localStorage.length") == 0


def test_a_stations_page_shows_its_neighbours_live_and_keeps_a_favourite(page: Page, live_site: LiveSite) -> None:
    station = next(one for one in stations_of(page) if one["bikes"])
    see_live(page, f"/stations/{station['feed']}/{quote(station['station_id'])}/")
    expect(page.locator("#neighbours .stand__walk .small").first).to_be_visible()  # made by the script
    expect(page.locator("#neighbours a")).to_have_count(5)
    expect(page.locator("#as-of")).to_contain_text(re.compile("second|now"))

    page.locator("#favourite button").click()

    expect(page.locator("#favourite button")).to_have_attribute("aria-pressed", "true")
    see_live(page)
    expect(page.locator("#favourites")).to_contain_text(station["name"])
