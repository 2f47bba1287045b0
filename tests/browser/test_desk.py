"""At the desk nothing is cut off on a small laptop, and everybody can use what it asks."""

import pytest
from playwright.sync_api import Page

from tests.browser.desk import DESK_SCENES
from tests.browser.scenes import Scene
from tests.browser.test_accessibility import FINISH_TRANSITIONS, RULES, SMALLEST_WIDTH, grave_faults
from tests.live_site import LiveSite

CUT_OFF = """() => [...document.querySelectorAll("#content, #changelist .results, fieldset, .tabular")]
    .filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => `${one.id || one.className}: ${one.scrollWidth} in ${one.clientWidth}`)"""


@pytest.mark.parametrize("scene", DESK_SCENES, ids=lambda scene: scene.name)
def test_the_desk_fits_a_small_laptop_and_everybody_can_use_it(scene: Scene, live_site: LiveSite, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 1280, "height": 800})
    scene.reach(page, live_site)

    assert page.evaluate(CUT_OFF) == []
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        page.evaluate(FINISH_TRANSITIONS)
        assert grave_faults(page, rules) == [], scheme
    page.set_viewport_size({"width": SMALLEST_WIDTH, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALLEST_WIDTH
