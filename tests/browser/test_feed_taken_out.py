"""A page that stays open while a feed is taken out of the settings."""

import json
import re

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.live_site import LiveSite
from tests.stations.live_copy import decoded


def test_an_open_page_forgets_a_feed_that_was_taken_out(page: Page, live_site: LiveSite) -> None:
    sockets: list[WebSocketRoute] = []

    def at_first_of_two_feeds(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            socket.send(message)
            told = decoded(message)
            if told["type"] == "feed" and socket is sockets[0]:
                socket.send(json.dumps(told | {"name": "jcdecaux:lund", "ok": False}))

        server.on_message(pass_on)

    page.route_web_socket(re.compile("/ws/stations/"), at_first_of_two_feeds)
    page.goto("/stations/")
    expect(page.locator("#feed-alerts")).to_contain_text("jcdecaux:lund")
    expect(page.locator("#connection")).to_have_attribute("data-state", "stale")

    sockets[0].close()

    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#feed-alerts .feed-alert")).to_have_count(0)
