"""A station's page shows the fragments of other apps, live, though the stations know none of these apps."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from eventbus.testing import settle
from mcommerce.web.slots.live import open_pages
from tests.mcommerce.slots.points.services import praise_station
from tests.stations.socket_client import Browser, browsing, happens, key, on_a_loop, state

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_fragments_watched", "points_app"),
]

PRAISE = "points.station_praise"
FRENCH = [(b"accept-language", b"fr")]


async def open_station(browser: Browser, station: str = "simulator/lyon-7") -> None:
    await browser.subscribe(["lyon"], station=station)


async def praise(feed: str, station_id: str) -> None:
    await sync_to_async(praise_station)(feed=feed, station_id=station_id)
    await sync_to_async(settle)()


async def said(browser: Browser) -> str:
    return (await browser.next_of("fragments"))["fragments"][PRAISE]["html"]


@on_a_loop
async def test_a_change_comes_on_the_socket_of_the_stations_page() -> None:
    await happens({key(7): state(), key(8): state()})
    async with browsing(headers=FRENCH) as browser:
        await open_station(browser)
        assert "simulator lyon-7 praised 0 times" in await said(browser)

        await praise("simulator", "lyon-8")
        await praise("simulator", "lyon-7")

        assert "simulator lyon-7 praised 2 times" in await said(browser)
    assert open_pages._pages == {}


def test_stations_alone_show_none(settings: Any) -> None:
    settings.STATIONS_PAGE_FRAGMENTS = ""

    @on_a_loop
    async def story() -> None:
        await happens({key(7): state()})
        async with browsing() as browser:
            await open_station(browser)
            await happens({key(7): state(bikes=3)})
            assert (await browser.hear())["type"] == "delta"

    story()
