"""The nearest station: right everywhere on the globe, and the location leaves the page in no way."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.finding_pages import DASHBOARD, LOCATED, in_module, see_live
from tests.browser.nearest_reference import POINTS, STATIONS, Point, metres_between, nearest
from tests.live_site import LiveSite

pytestmark = pytest.mark.viewports

TOLD_HERE = re.compile(r"45[.,]?76|4[.,]?85\d|4576137|485293")  # the location in a request, also rounded
OPEN_SEA = {"latitude": -40.0, "longitude": -20.0}


def test_the_nearest_are_those_of_a_reference_for_a_thousand_points(page: Page, live_site: LiveSite) -> None:
    see_live(page)
    body = """
      const {stations, points, reach} = given;
      const found = (point) => m.nearest(stations, point, {count: 5, reach});
      return points.map((point) => found(point).map(({station, metres}) => [station.id, metres]));
    """
    by_id = {station["id"]: station for station in STATIONS}

    def away(point: Point, key: str) -> float:
        return metres_between(point, by_id[key])

    for reach in (5_000, 21_000_000):
        told = in_module(page, "nearest.js", body, {"stations": STATIONS, "points": POINTS, "reach": reach})

        for point, found in zip(POINTS, told, strict=True):
            wanted = nearest(STATIONS, point, count=5, reach=reach)
            # By their distances: at a pole several stations are equally near.
            assert [metres for _, metres in found] == pytest.approx([metres for _, metres in wanted], abs=0.01), point
            assert [away(point, key) for key, _ in found] == pytest.approx([metres for _, metres in wanted], abs=0.01)
            assert len({key for key, _ in found}) == len(found)


def test_the_location_is_in_no_request_no_frame_no_address_and_no_storage(open_page, live_site: LiveSite) -> None:
    page = open_page(**LOCATED)
    sent: list[str] = []

    def note(request) -> None:
        sent.append(f"{request.method} {request.url} {request.headers} {request.post_data or ''}")

    page.context.on("request", note)
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(f"frame {frame}")))
    see_live(page)
    expect(page.locator("#nearest-told")).to_contain_text("From where you are")

    page.locator("#map").focus()
    for key in ("ArrowLeft", "+", "-"):
        page.keyboard.press(key)
    page.locator("#nearest-list [data-show]").first.click()
    expect(page).to_have_url(re.compile("station="))
    page.locator("#nearest [data-favourite]").first.click()
    kept = page.evaluate(
        "JSON.stringify([localStorage, sessionStorage, history.state, location.href, document.cookie])"
    )
    page.locator("button[name=language][value=fr]").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.locator("#nearest-list .stand__what a").first.click()
    page.wait_for_url("**/stations/*/*/")

    assert any(line.startswith("frame") for line in sent)
    assert [line for line in [*sent, kept] if TOLD_HERE.search(line)] == []


def test_no_permission_no_location_and_no_station_get_a_sentence_each(open_page, live_site: LiveSite) -> None:
    denied = open_page()
    see_live(denied)
    expect(denied.locator("#nearest-told")).to_contain_text("From where?")
    denied.locator("#locate").click()
    expect(denied.locator("#nearest-told")).to_contain_text("may not tell this page where you are")

    lost = open_page(permissions=["geolocation"])
    see_live(lost)
    lost.locator("#locate").click()
    expect(lost.locator("#nearest-told")).to_contain_text("does not know where it is")

    far = open_page(geolocation=OPEN_SEA, permissions=["geolocation"])
    see_live(far, DASHBOARD)
    expect(far.locator("#nearest-told")).to_contain_text(
        re.compile(r"no station with a bike within 5 km. The nearest is .*km")
    )


def test_only_a_station_whose_figures_are_fresh_is_offered(page: Page, live_site: LiveSite) -> None:
    see_live(page)
    body = """
      const station = {bikes: 3, electrical: 0, stands: null, status: "OPEN", bad: ""};
      const states = ["fresh", "stale", "frozen", "unknown", "closed", "held"];
      const kinds = ["bikes", "ebikes", "places"];
      return [states.map((state) => m.offers({...station, state}, "bikes")),
              kinds.map((kind) => m.offers({...station, state: "fresh"}, kind))];
    """

    by_state, by_kind = in_module(page, "nearest.js", body)

    assert by_state == [True, False, False, False, False, False]
    assert by_kind == [True, False, False]
