"""What a page makes of the socket's frames: after a restart, a move, a change of release, and of a recording."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.finding_pages import in_module, see_live
from tests.live_site import LiveSite
from tests.stations.live_copy import decoded

pytestmark = pytest.mark.viewports

STORE = """
  const fields = ["feed", "station_id", "status", "bikes", "electrical", "stands", "bad", "connected", "polled_at"];
  const row = (id, bikes) => ["f", id, "OPEN", bikes, 0, 3, "", true, 0];
  const snapshot = (contract, epoch, ...rows) => ({ contract, epoch, at: 1e12, fields, numbers: rows.map((_, n) => n),
    columns: fields.map((_, field) => rows.map((one) => one[field])) });
  const world = (epoch, ...names) => ({ contract: "", epoch, at: 1e12, fields: ["contract", "feed", "listed", "bikes"],
    numbers: names.map((_, n) => n), columns: [names, names.map(() => "f"), names.map(() => 1), names.map(() => 5)] });
  const delta = (contract, ...changes) => ({ contract, at: 1e12, changes });
  const whole = (number, id, bikes) => [number, ...row(id, bikes).flatMap((value, field) => [field, value])];
  const store = new m.StationStore();
  const held = () => [
    [...store.stations.values()].map(({ station_id, contract }) => `${contract}/${station_id}`).sort(),
    Object.fromEntries([...store.cities.values()].map(({ contract, bikes }) => [contract, bikes]))];
"""


def in_store(page: Page, body: str) -> Any:
    return in_module(page, "station_store.js", STORE + body)


def test_a_city_that_a_restarted_server_no_longer_has_is_forgotten(page: Page, live_site: LiveSite) -> None:
    see_live(page)
    body = """
      for (const name of ["a", "b"]) store.replace(snapshot(name, "old", row("1", 5)));
      store.replace(world("old", "a", "b"));
      const unchanged = store.keepEpoch("old");
      store.replace(world("new", "a"));
      store.replace(snapshot("a", "new", row("1", 4)));
      return [unchanged, store.keepEpoch("new"), held()];
    """

    assert in_store(page, body) == [False, True, [["a/1"], {"a": 4}]]


def test_a_station_that_moves_to_another_city_is_counted_there_alone(page: Page, live_site: LiveSite) -> None:
    body = """
      store.replace(snapshot("a", "e", row("1", 5), row("2", 7)));
      store.replace(snapshot("b", "e", row("3", 1)));
      const order = given[0] === "arrives" ? ["b", "a"] : ["a", "b"];
      for (const name of order) store.apply(name === "b" ? delta("b", whole(1, "1", 5)) : delta("a", [0]));
      return held();
    """
    see_live(page)

    for first in ("arrives", "leaves"):
        found = in_module(page, "station_store.js", STORE + body, [first])
        assert found == [["a/2", "b/1", "b/3"], {"a": 7, "b": 6}], first


def altered(page: Page, alter: Any) -> list[WebSocketRoute]:
    """Let each frame of the site pass through `alter`, with the number of its socket."""
    sockets: list[WebSocketRoute] = []

    def connected(socket: WebSocketRoute) -> None:
        number = len(sockets)
        sockets.append(socket)
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            told = decoded(message)
            changed = alter(told, number)
            socket.send(message if changed is told else json.dumps(changed))

        server.on_message(pass_on)

    page.route_web_socket(re.compile("/ws/stations/"), connected)
    return sockets


def test_a_recording_is_called_so_and_never_live(page: Page, live_site: LiveSite) -> None:
    altered(page, lambda told, number: told | {"recorded": True} if told["type"] == "feed" else told)
    page.goto("/stations/")

    expect(page.locator("#connection")).to_contain_text("a recording is played again")
    expect(page.locator("#connection")).to_have_attribute("data-state", "recorded")


def test_a_page_waits_for_a_server_of_its_own_release(page: Page, live_site: LiveSite) -> None:
    def old_at_first(told: dict[str, Any], number: int) -> dict[str, Any]:
        return told | {"protocol": 1} if told["type"] == "hello" and number == 0 else told

    sockets = altered(page, old_at_first)
    page.goto("/stations/")

    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    assert len(sockets) == 2


def test_a_page_whose_request_is_refused_says_why_and_loads_no_longer(page: Page, live_site: LiveSite) -> None:
    def ask_too_much(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        names = [f"city-{number}" for number in range(101)]
        socket.on_message(lambda told: server.send(json.dumps(json.loads(told) | {"contracts": names})))

    page.route_web_socket(re.compile("/ws/stations/"), ask_too_much)
    page.goto("/stations/?contract=lyon")

    expect(page.locator("#connection")).to_have_attribute("data-state", "offline")
    expect(page.locator("#connection")).to_contain_text("Load the page again. The reason: Expected")
    expect(page.locator("#dashboard")).to_have_attribute("data-state", "rejected")
