"""The ground of the map: streets of the operator's file, in both themes; and a page that works without any."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.test_map import CITY, DASHBOARD, see_live
from tests.live_site import LiveSite, running_site
from tests.stations.map_files import write_map_file
from tests.waiting import until

pytestmark = pytest.mark.viewports

RIVER = "#map=12/45.7600/4.8290"  # of the map file, in the middle of the view
NO_WEBGL = """
  const original = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith("webgl") ? null : original.call(this, kind, ...rest);
  };
"""
SEA = {"light": (223, 232, 230), "dark": (13, 21, 19)}  # --map-sea, which water of the file has too


@pytest.fixture(scope="module")
def live_site(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[LiveSite]:
    folder = tmp_path_factory.mktemp("streets")
    told = {"STATIONS_MAP_FILE": str(write_map_file(folder / "city.pmtiles"))}
    with running_site(folder, prepared=prepared_database, environment=told) as site:
        yield site


def share_of(page: Page, colour: tuple[int, int, int]) -> float:
    """The share of the map's pixels that have this colour."""
    picture = Image.open(io.BytesIO(page.locator("#map").screenshot())).convert("RGB")
    return sum(count for count, found in picture.getcolors(2**24) or [] if found == colour) / (
        picture.width * picture.height
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_shows_streets_and_water_of_the_operators_file(open_page, live_site: LiveSite, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    asked = []
    page.on("response", lambda answer: asked.append(answer.status) if "map.pmtiles" in answer.url else None)

    see_live(page, CITY + RIVER)

    until(lambda: share_of(page, SEA[scheme]) > 0.03, "the river is drawn")
    expect(page.locator(".map__credits")).to_have_text("© Tests & OpenStreetMap")  # HTML of the file is no HTML of ours
    expect(page.locator(".map__credits a")).to_have_attribute("href", "https://www.openstreetmap.org/copyright")
    assert set(asked) == {206}


def test_without_webgl_lists_figures_and_remarks_still_work(page: Page, live_site: LiveSite) -> None:
    page.add_init_script(NO_WEBGL)
    see_live(page, DASHBOARD)

    expect(page.locator("#map")).to_contain_text("This browser cannot draw the map")
    page.locator("#cities tbody a").first.click()

    expect(page.locator("#map")).to_contain_text("This browser cannot draw the map")
    page.locator("#stations .on-map").first.click()
    expect(page.locator("#selected")).to_be_visible()


def test_if_the_library_does_not_come_the_page_says_so(page: Page, live_site: LiveSite, faults) -> None:
    faults.allow("maplibre-gl")
    page.route("**/maplibre-gl.mjs", lambda route: route.abort())

    see_live(page, DASHBOARD)

    expect(page.locator("#map")).to_contain_text("The map could not be loaded")


def test_keys_alone_choose_a_station_on_the_map(page: Page, live_site: LiveSite) -> None:
    see_live(page, CITY + RIVER)
    page.locator(".map__signs[data-draws]").wait_for(state="attached")
    page.locator("#map canvas.maplibregl-canvas").focus()

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")

    expect(page.locator("#selected")).to_be_visible()
    assert "station=" in page.url
