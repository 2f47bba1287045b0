"""Little data: what a page of one city loads at first."""

import gzip

from playwright.sync_api import Page, expect

from tests.browser.test_map import CITY, see_live
from tests.live_site import LiveSite

FIRST_LOAD_BYTES_MAX = 30_000
KEPT = "/static/"  # scripts and sheets, which a browser keeps from visit to visit


def test_a_page_of_lyon_loads_little_beside_its_scripts(page: Page, live_site: LiveSite) -> None:
    loaded: dict[str, int] = {}
    frames: list[int] = []
    page.on("response", lambda answer: loaded.update({answer.url: compressed(answer.body())}))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(len(frame))))

    see_live(page, CITY)
    expect(page.locator("#dashboard")).to_have_attribute("data-stations", "2556")

    documents = [size for url, size in loaded.items() if KEPT not in url]
    assert min(len(documents), len(frames)) > 0
    assert sum(documents) + sum(frames) <= FIRST_LOAD_BYTES_MAX


def compressed(body: bytes) -> int:
    """The bytes that travel for a file, as a proxy compresses it."""
    return len(gzip.compress(body))
