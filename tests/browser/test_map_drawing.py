"""The map is drawn when a sign in sight differs, and at no other time. The socket's frames are the test's own."""

import json

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser import page_states
from tests.browser.test_map import DASHBOARD
from tests.live_site import LiveSite
from tests.stations import live_copy
from tests.stations.live_copy import LiveCopy, decoded
from tests.waiting import until

pytestmark = pytest.mark.viewports

WORLD, CITY = "", f"?contract={page_states.CONTRACT}"
NEAR = f"{CITY}#map=13/45.7600/4.8400"  # each station has a sign of its own
FRAMES = 20  # as fast as they come
COUNT_FRAMES = """
  window.framesAsked = 0;
  const original = window.requestAnimationFrame;
  window.requestAnimationFrame = (step) => { window.framesAsked += 1; return original(step); };
"""
COUNTS = """() => ({
  asked: window.framesAsked,
  ground: Number(document.getElementById("map").dataset.renders),
  signs: Number(document.querySelector(".map__signs").dataset.draws),
})"""
AT_REST = f"""() => {{
  const counts = ({COUNTS})();
  const now = JSON.stringify(counts);
  if (now !== window.countsBefore) [window.countsBefore, window.countedAt] = [now, performance.now()];
  return performance.now() - window.countedAt > 2000 ? counts : null;
}}"""


class Feed:
    """A page's socket that lets the site's first frames through, and then only those of the test."""

    def __init__(self, page: Page):
        self.copy = LiveCopy()
        page.add_init_script(COUNT_FRAMES)
        page.route_web_socket("**/ws/stations/", self.join)

    def join(self, socket: WebSocketRoute) -> None:
        self.socket, server = socket, socket.connect_to_server()
        server.on_message(self.hear)

    def hear(self, message: str | bytes) -> None:
        frame = decoded(message)
        if frame["type"] in {"delta", "tick"}:
            return
        self.copy.take(frame)
        self.socket.send(message)

    def tell(self, contract: str, count: int | None = None, **fields: object) -> None:
        """Send a frame in which the first rows of a contract, or all, have these fields."""
        names, seq = self.copy.fields[contract], self.copy.seqs[contract]
        told = [part for name, value in fields.items() for part in (names.index(name), value)]
        changes = [[number, *told] for number in [*self.copy.rows[contract]][:count]]
        place = {"contract": contract, "epoch": self.copy.epoch, "prev": seq, "seq": seq + 1, "at": 1_777_636_800_000}
        self.copy.seqs[contract] += 1
        self.socket.send(json.dumps({"type": "delta", **place, "changes": changes}))


@pytest.fixture
def feed(page: Page) -> Feed:
    return Feed(page)


def see_at_rest(page: Page, query: str) -> dict[str, int]:
    """Open the map and return how often it was drawn, once it is drawn no more."""
    page.goto(DASHBOARD + query)
    page.locator(".map__signs[data-draws]").wait_for(state="attached")
    return rest(page)


def rest(page: Page) -> dict[str, int]:
    """Return how often the map was drawn, once nothing was drawn or asked for in two seconds."""
    until(lambda: page.evaluate(AT_REST) is not None, "nothing is drawn any more")
    counts: dict[str, int] = page.evaluate(COUNTS)
    return counts


@pytest.mark.parametrize("query", [WORLD, CITY, NEAR], ids=["world", "city", "near"])
def test_one_change_draws_its_sign_and_takes_its_ring_away(
    page: Page, feed: Feed, live_site: LiveSite, query: str
) -> None:
    before = see_at_rest(page, query)

    if query == WORLD:
        feed.tell(live_copy.WORLD, bikes=3_000)
    else:
        feed.tell(page_states.CONTRACT, bikes=30, returned=7)  # all of the city, so that a sum shows it

    until(lambda: page.evaluate(COUNTS)["signs"] > before["signs"], "the signs are drawn")
    after = rest(page)
    assert after["signs"] - before["signs"] <= 2
    assert after["ground"] == before["ground"]


def test_what_is_out_of_sight_or_shows_in_no_sign_draws_nothing(page: Page, feed: Feed, live_site: LiveSite) -> None:
    before = see_at_rest(page, NEAR)

    for bikes in range(3):
        feed.tell(live_copy.WORLD, bikes=bikes)
        feed.tell(page_states.CONTRACT, address="Rue sans nom")
        expect(page.locator("#dashboard")).to_have_attribute("data-seq", str(feed.copy.seqs[page_states.CONTRACT]))

    after = rest(page)
    assert (after["signs"], after["ground"]) == (before["signs"], before["ground"])


def test_a_burst_of_frames_is_drawn_a_few_times(page: Page, feed: Feed, live_site: LiveSite) -> None:
    before = see_at_rest(page, NEAR)

    for bikes in range(FRAMES):
        feed.tell(page_states.CONTRACT, 20, bikes=bikes, returned=1)

    expect(page.locator("#dashboard")).to_have_attribute("data-seq", str(feed.copy.seqs[page_states.CONTRACT]))
    assert rest(page)["signs"] - before["signs"] < FRAMES
