"""At the desk nothing is cut off on a small laptop, and a telephone scrolls no page sideways."""

import pytest
from playwright.sync_api import Page

from tests.browser.admin_pages import DESK_SCENES
from tests.browser.bus_admin_pages import BUS_SCENES
from tests.browser.page_faults import Faults
from tests.browser.page_states import Scene
from tests.browser.test_accessibility import SMALLEST_WIDTH
from tests.live_site import LiveSite

pytestmark = pytest.mark.viewports

CUT_OFF = """() => [...document.querySelectorAll("#content, #changelist .results, fieldset, .tabular")]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => `${one.id || one.className}: ${one.scrollWidth} in ${one.clientWidth}`)"""
SEARCH_WIDTH_MIN = 120  # pixels: an order's number is seen in full while it is typed
CUT_OFF_IN_SEARCH = """least => [...document.querySelectorAll("#changelist-search > div, #searchbar")]
    .filter(one => one.scrollWidth > one.clientWidth + 1 || one.clientWidth < least)
    .map(one => `${one.id || one.className}: ${one.scrollWidth} in ${one.clientWidth}`)"""


@pytest.mark.parametrize("scene", [*DESK_SCENES, *BUS_SCENES], ids=lambda scene: scene.name)
def test_the_desk_fits_a_small_laptop(scene: Scene, live_site: LiveSite, page: Page, faults: Faults) -> None:
    faults.allow("inline")  # Django's forms with lines below one another try to add a style, which the policy refuses
    page.set_viewport_size({"width": 1280, "height": 800})
    scene.reach(page, live_site)

    assert page.evaluate(CUT_OFF) == []
    page.set_viewport_size({"width": SMALLEST_WIDTH, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALLEST_WIDTH
    assert page.evaluate(CUT_OFF_IN_SEARCH, SEARCH_WIDTH_MIN) == []
