"""The dashboard of the stations for tests that find a bike: its addresses, its modules, and a location."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser import page_states

DASHBOARD = "/stations/"
CITY = f"{DASHBOARD}?contract={page_states.CONTRACT}"
HERE = {"latitude": 45.76137, "longitude": 4.85293}
LOCATED = {"geolocation": HERE, "permissions": ["geolocation"]}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
SCRIPT = "script[src*='stations/dashboard'], script[src*='stations/station']"  # the page's own
MODULE = f'name => import(new URL(name, document.querySelector("{SCRIPT}").src))'


def see_live(page: Page, path: str = CITY) -> None:
    page.goto(path)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def stations_of(page: Page, contract: str = page_states.CONTRACT) -> list[dict[str, Any]]:
    return page.request.get(f"{DASHBOARD}state.json?contract={contract}").json()["stations"]


def in_module(page: Page, name: str, body: str, argument: object = None) -> Any:
    """Return the value of a JavaScript body that sees the page's own module as `m` and the argument as `given`."""
    return page.evaluate(f"async ([name, given]) => {{ const m = await ({MODULE})(name); {body} }}", [name, argument])
