"""A browser is told the stations of the cities that it follows, and of all others the sums."""

import pytest

from stations.live import live_updates
from stations.live.channel import Channel
from tests.stations.socket_client import browsing, happens, key, on_a_loop, polled, reached, state

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _three_stations(db: None) -> None:
    polled({key(1): state(bikes=10), key(2): state(bikes=5), key(1, "nantes"): state(bikes=7)})


@on_a_loop
async def test_other_cities_are_not_told_and_leave_no_gap():
    async with browsing() as browser:
        await browser.subscribe(["nantes"])

        await happens({key(1): state(bikes=1)})
        await reached(1)
        await happens({key(1, "nantes"): state(bikes=2)})

        assert (await browser.hear())["prev"] == 0
        assert browser.bikes(key(1, "nantes")) == 2


@on_a_loop
async def test_of_the_cities_that_it_does_not_follow_a_browser_is_told_the_sums():
    async with browsing() as browser:
        await browser.subscribe(["nantes"], world=True)
        assert {name: city["bikes"] for name, city in browser.copy.cities.items()} == {"lyon": 15, "nantes": 7}

        await happens({key(1): state(bikes=1), key(1, "nantes"): state(bikes=2)})

        frames = [await browser.hear(), await browser.hear()]

    changes = {frame["contract"]: frame["changes"] for frame in frames}
    assert changes.keys() == {"", "nantes"}
    assert len(changes[""]) == 1
    assert (browser.copy.cities["lyon"]["bikes"], browser.copy.cities["nantes"]["bikes"]) == (6, 7)


@on_a_loop
async def test_a_browser_whose_own_city_alone_changes_is_moved_along_with_the_sums(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Channel, "kept_max", 4)
    monkeypatch.setattr(live_updates, "SUMS_SECONDS", 0)
    async with browsing() as browser:
        await browser.subscribe(["lyon"], world=True)
        for bikes in (1, 2, 3):
            await happens({key(1): state(bikes=bikes)})
            await reached(bikes, "")
        frames = [await browser.hear() for _ in range(4)]

    [moved] = [frame for frame in frames if frame["contract"] == ""]
    assert (moved["changes"], moved["removed"], moved["prev"], moved["seq"]) == ([], [], 0, 3)
