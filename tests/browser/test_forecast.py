"""A station's page in the browser: will there be a bike, and what an open page says once that is old."""

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from stations.forecast.counts import HORIZONS
from stations.forecast.written import Entry, packed
from tests.browser.finding_pages import PHONE, in_module, see_live, stations_of
from tests.browser.nearest_reference import metres_between
from tests.browser.page_states import CONTRACT
from tests.live_site import LiveSite
from tests.stations.live_copy import decoded

pytestmark = pytest.mark.viewports


def write_forecast(site: LiveSite, page: Page, made_at: datetime) -> tuple[str, str]:
    """Write a forecast by which a station may run out of bikes, and its nearest neighbour does not. Return both."""
    here, *others = stations_of(page)
    near = min(others, key=lambda one: metres_between(here, one))
    ids = dict(site.rows("SELECT station_id, id FROM stations_station WHERE contract = ?", CONTRACT))
    low, high = ((410, 320, 230), (450, 360, 270)), ((970,) * 3, (970,) * 3)
    chances = [(here, *low), (near, *high)]
    entries = [Entry(ids[one["station_id"]], 5, 5, model, model, table, table) for one, model, table in chances]
    verdicts = [
        {"horizon": minutes, "target": "bike", "method": "model" if minutes == 60 else "table", "days": 9}
        | {"model": 0.0061, "table": 0.0090, "as_now": 0.0140}
        for minutes in HORIZONS
    ]
    row = (CONTRACT, *2 * [f"{made_at:%Y-%m-%d %H:%M:%S}"], str(made_at.date()), json.dumps(verdicts), packed(entries))
    columns = "feed, contract, made_at, written_at, learned_until, verdicts, entries"
    with closing(sqlite3.connect(site.database_path, timeout=10)) as connection, connection:
        connection.execute(f"INSERT INTO stations_forecast ({columns}) VALUES ('simulator', ?, ?, ?, ?, ?, ?)", row)
    return f"/stations/simulator/{here['station_id']}/", near["name"]


def test_a_station_that_may_run_out_says_so_until_its_feed_fails(open_page, live_site: LiveSite) -> None:
    page = open_page(**PHONE, locale="fr-FR")
    broken: list[bool] = []

    def pass_on(socket: WebSocketRoute) -> None:
        def tell(frame: str | bytes) -> None:
            told = decoded(frame)
            socket.send(json.dumps(told | {"ok": False}) if broken and told["type"] == "feed" else frame)

        socket.connect_to_server().on_message(tell)

    see_live(page)
    made_at = datetime.now(UTC) - timedelta(minutes=20)
    address, best = write_forecast(live_site, page, made_at)
    page.route_web_socket(re.compile("/ws/stations/"), pass_on)
    see_live(page, address)

    forecast = page.locator("#forecast")
    expect(forecast).to_contain_text("il y a 20 minutes")
    lines = forecast.locator("#forecast-now tbody tr")
    expect(lines).to_have_text(
        [re.compile(r"^\s*\d\d:\d\d\s+36\s% tableau"), re.compile(r"^\s*\d\d:\d\d\s+23\s% modèle")]
    )
    expect(forecast.locator("#best a")).to_have_text(best)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

    broken.append(True)
    expect(forecast).to_contain_text("Il n’y a pas de prévision")
    expect(lines.first).to_be_hidden()


def test_a_page_left_open_says_that_the_times_of_its_forecast_have_passed(page: Page, live_site: LiveSite) -> None:
    see_live(page)
    made_at = datetime.now(UTC) - timedelta(minutes=20)
    see_live(page, write_forecast(live_site, page, made_at)[0])

    body = "m.showForecast(true, new Date(given)); return document.getElementById('forecast-none').textContent;"
    said = in_module(page, "forecast.js", body, (made_at + timedelta(hours=2)).isoformat())

    assert said.startswith("The times of this forecast have passed.")
