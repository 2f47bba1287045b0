"""Everybody can use every page: by day and by night, on a small telephone, with a reader or with keys alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import URLPattern, URLResolver, get_resolver
from playwright.sync_api import Page

from tests.browser.alert_pages import ALERT_SCENES
from tests.browser.operator_pages import OPERATOR_SCENES
from tests.browser.page_faults import Faults
from tests.browser.page_states import NOT_PAGES, SCENES, Scene
from tests.live_site import LiveSite

pytestmark = pytest.mark.viewports

SMALLEST_WIDTH = 360
GRAVE = {"serious", "critical"}
# Of axe, which tells of what is wrong alone: the rest is most of its work. By night a page has other colours only.
RULES: dict[str, dict[str, Any]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {
        "resultTypes": ["violations"],
        "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    },
}
DESK = {  # the rest of the admin is made alike
    *("admin:index", "admin:login"),
    *("admin:orders_offer_changelist", "admin:orders_order_changelist", "admin:eventbus_progress_changelist"),
}
ONE_OF_EACH_KIND = {"shop", "cart", "checkout-faulty", "order-to-pay", "sign-in", "station", "bus-failure"}
# Someone sees these pages with an error status, and the browser says so in its console.
ERROR_STATUSES = {
    "product-unknown": 404,
    "station-unknown": 404,
    "checkout-faulty": 422,
    "checkout-changed": 409,
    "sign-in-too-often": 429,
}


def url_names(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    """All names below a resolver, with their namespaces; of the admin only some."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from url_names(pattern, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)
        elif isinstance(pattern, URLPattern) and pattern.name:
            name = namespace + pattern.name
            if not name.startswith("admin:") or name in DESK:
                yield name


def test_every_url_name_is_shown_by_a_scene_or_said_to_be_no_page() -> None:
    known = {scene.url_name for scene in [*SCENES, *ALERT_SCENES, *OPERATOR_SCENES]} | NOT_PAGES.keys()

    assert set(url_names(get_resolver())) == known


def scenes() -> list[Any]:
    """All, of which the default run sees one page of each kind."""
    every = [*SCENES, *ALERT_SCENES, *OPERATOR_SCENES]
    marks = {scene.name: () if scene.name in ONE_OF_EACH_KIND else pytest.mark.viewports for scene in every}
    return [pytest.param(scene, id=scene.name, marks=marks[scene.name]) for scene in every]


# axe measures colours: none may be on its way to another. The desk's links fade; a parent's end begins its child's.
FINISH_TRANSITIONS = """() => {
    const running = () => document.getAnimations().filter(one => one instanceof CSSTransition);
    for (let found = running(); found.length; found = running()) found.forEach(one => one.finish());
}"""

# WCAG 2.2.2: what moves by itself for longer must be stoppable. To paint it for ever also costs a third of a core.
LONGEST_MOVE_MS = 5_000
MOVES_TOO_LONG = """longest => document.getAnimations()
    .filter(one => one.effect.getComputedTiming().endTime > longest)
    .map(one => `${one.animationName} of ${one.effect.target.className}`)"""


def grave_faults(page: Page, options: dict[str, Any]) -> list[str]:
    """What axe finds serious or critical, one line each."""
    return [
        f"{fault['impact']} {fault['id']}: {', '.join(str(node['target']) for node in fault['nodes'])}"
        for fault in Axe().run(page, options=options).response["violations"]
        if fault["impact"] in GRAVE
    ]


@pytest.mark.parametrize("scene", scenes())
def test_nobody_is_kept_out(scene: Scene, live_site: LiveSite, page: Page, faults: Faults) -> None:
    if scene.name in ERROR_STATUSES:
        faults.allow(f"status of {ERROR_STATUSES[scene.name]}")
    page.emulate_media(reduced_motion="reduce")
    scene.reach(page, live_site)

    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(MOVES_TOO_LONG, LONGEST_MOVE_MS) == []
    page.emulate_media(reduced_motion="reduce")
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme)
        page.evaluate(FINISH_TRANSITIONS)
        assert grave_faults(page, rules) == [], scheme
    page.set_viewport_size({"width": SMALLEST_WIDTH, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= SMALLEST_WIDTH
