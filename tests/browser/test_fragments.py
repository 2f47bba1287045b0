"""A fragment of another app on an order's page changes while it is read, and takes nothing from the reader."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser import checkout_pages
from tests.live_site import LiveSite, running_site
from tests.mcommerce.slots.points import events  # noqa: F401  # declares them: the records of its site are validated

pytestmark = pytest.mark.viewports

GRANT = """
from uuid import UUID
from tests.mcommerce.slots.points.services import grant_points
grant_points(order_id=UUID("{order_id}"), points=19)
"""
SCROLLED = "Math.round(scrollY)"


@pytest.fixture(scope="module")
def live_site(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[LiveSite]:
    """A site with the app of points."""
    told = {"DJANGO_SETTINGS_MODULE": "tests.mcommerce.slots.settings"}
    with running_site(tmp_path_factory.mktemp("points"), prepared=prepared_database, environment=told) as site:
        yield site


def grant(page: Page, site: LiveSite) -> None:
    """Another process gives 19 points for the order of this page."""
    order_id = page.url.rstrip("/").rpartition("/")[2]
    site.manage("shell", "--verbosity=0", "--command", GRANT.format(order_id=order_id))


def test_the_fragment_changes_alone_and_the_reader_keeps_their_place(page: Page, live_site: LiveSite) -> None:
    checkout_pages.place_order(page, live_site)
    box = page.locator('[data-fragment="points.order_points"]')
    expect(box).to_have_attribute("aria-live", "polite")
    expect(box).to_be_empty()
    page.locator("#order-now").evaluate("part => { part.dataset.same = 'yes' }")

    grant(page, live_site)
    expect(page.locator("#points")).to_have_text("19")
    page.locator("#points-code").fill("half a co")
    page.evaluate("scrollTo(0, 150)")
    before = page.evaluate(SCROLLED)
    grant(page, live_site)

    expect(page.locator("#points")).to_have_text("38")
    expect(page.locator("#points-code")).to_be_focused()
    expect(page.locator("#points-code")).to_have_value("half a co")
    assert page.evaluate(SCROLLED) == before
    assert page.locator("#order-now").get_attribute("data-same") == "yes", "the order itself was not replaced"


def test_without_its_socket_the_page_asks_for_the_fragment(page: Page, live_site: LiveSite) -> None:
    opened: list[WebSocketRoute] = []

    def only_once(socket: WebSocketRoute) -> None:
        opened.append(socket)
        if len(opened) == 1:
            socket.connect_to_server()
        else:
            socket.close()

    checkout_pages.place_order(page, live_site)
    page.context.route_web_socket(re.compile("/ws/orders/"), only_once)
    page.reload()
    expect(page.locator("#order-state")).to_have_attribute("data-state", "live")
    opened[0].close()

    grant(page, live_site)

    expect(page.locator("#points")).to_have_text("19")
    expect(page.locator("#order-state")).to_have_attribute("data-state", "asking")
