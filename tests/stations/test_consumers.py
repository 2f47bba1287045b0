"""What a browser is told on the stations' socket: a snapshot, then numbered deltas, and never a gap."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async

from stations.live.channel import Channel
from stations.sockets import admission
from stations.sockets.pull_socket import CLOSE_TRY_AGAIN
from tests.frozen_database import without
from tests.stations.socket_client import (
    DEADLINE_SECONDS,
    browsing,
    closed_with,
    happens,
    key,
    on_a_loop,
    polled,
    reached,
    state,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _three_stations(db: None) -> None:
    polled({key(1): state(bikes=10), key(2): state(bikes=5), key(1, "nantes"): state(bikes=7)})


@on_a_loop
async def test_a_browser_is_greeted_with_what_it_needs_to_begin():
    async with browsing() as browser:
        hello = await browser.socket.receive_json_from(timeout=DEADLINE_SECONDS)

    assert hello["type"] == "hello"
    assert hello.keys() >= {"protocol", "epoch", "heartbeat_s", "server_time", "feed"}
    assert hello["feed"] == {"name": "simulator", "simulated": True}


@on_a_loop
async def test_a_subscription_begins_with_all_its_stations():
    async with browsing() as browser:
        await browser.subscribe(["LYON"])

        assert browser.copy.stations.keys() == {"simulator/lyon-1", "simulator/lyon-2"}


@on_a_loop
async def test_a_change_at_a_station_reaches_the_browser():
    async with browsing() as browser:
        await browser.subscribe()

        await happens({key(1): state(bikes=9, mechanical=5)})

        told = await browser.hear()
        (change,) = told["changes"]
        assert (change["id"], change["bikes"], change["kinds"], change["taken"]) == (
            "simulator/lyon-1",
            9,
            ["taken"],
            1,
        )
        assert (told["prev"], told["seq"], browser.bikes(key(1))) == (0, 1, 9)


@on_a_loop
async def test_a_station_that_the_feed_no_longer_lists_is_removed():
    async with browsing() as browser:
        await browser.subscribe()

        await happens({key(1): state(bikes=10)}, gone=[key(2)])

        assert (await browser.hear())["removed"] == ["simulator/lyon-2"]
        assert browser.copy.stations.keys() == {"simulator/lyon-1", "simulator/nantes-1"}


@on_a_loop
async def test_coming_back_a_browser_is_told_only_what_it_missed():
    async with browsing() as leaving:
        await leaving.subscribe()
    await happens({key(1): state(bikes=3)})
    await reached(1)

    async with browsing() as coming:
        coming.copy = leaving.copy
        delta = await coming.subscribe("*", since=leaving.copy.since)

    assert (delta["type"], delta["prev"], delta["seq"]) == ("delta", 0, 1)
    assert [change["id"] for change in delta["changes"]] == ["simulator/lyon-1"]
    assert coming.bikes(key(1)) == 3


@on_a_loop
async def test_coming_back_to_another_process_a_browser_is_told_everything():
    async with browsing() as browser:
        assert (await browser.subscribe("*", since={"epoch": "another", "seqs": {"lyon": 0}}))["type"] == "snapshot"


@on_a_loop
async def test_coming_back_too_late_a_browser_is_told_everything(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Channel, "kept_max", 2)
    async with browsing() as leaving:
        await leaving.subscribe()
        for bikes in (1, 2, 3):
            await happens({key(1): state(bikes=bikes)})
            await leaving.hear()

    async with browsing() as coming:
        answer = await coming.subscribe("*", since=leaving.copy.since | {"seqs": {"lyon": 0}})

    assert answer["type"] == "snapshot"
    assert coming.bikes(key(1)) == 3


@on_a_loop
async def test_silence_is_broken_by_a_heartbeat_and_by_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stations.sockets.pull_socket.HEARTBEAT_SECONDS", 0.05)
    async with browsing() as browser:
        await browser.subscribe()

        for _ in range(2):
            assert (await browser.next_of("tick"))["seqs"] == browser.copy.seqs


@pytest.mark.parametrize(
    "wish",
    [{}, {"contracts": []}, {"contracts": [7]}, {"contracts": "*", "since": {"epoch": "", "seqs": {"lyon": -1}}}],
)
@on_a_loop
async def test_a_subscription_that_makes_no_sense_is_explained_and_may_be_sent_again(wish: dict):
    async with browsing() as browser:
        await browser.socket.send_json_to({"type": "subscribe"} | wish)
        assert (await browser.hear())["code"] == "bad_subscribe"

        assert (await browser.subscribe())["type"] == "snapshot"


@on_a_loop
async def test_who_comes_while_there_is_no_database_is_told_to_come_again():
    async with no_stations(), browsing() as browser:
        told = await browser.socket.receive_json_from(timeout=DEADLINE_SECONDS)

        assert (told["type"], told["code"]) == ("error", "not_ready")
        assert await closed_with(browser) == CLOSE_TRY_AGAIN

    async with browsing() as browser:
        assert (await browser.subscribe())["type"] == "snapshot"


@contextlib.asynccontextmanager
async def no_stations() -> AsyncIterator[None]:
    away = without("stations_station")
    await sync_to_async(away.__enter__)()
    try:
        yield
    finally:
        await sync_to_async(away.__exit__)(None, None, None)


@on_a_loop
async def test_an_address_holds_so_many_sockets_and_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admission, "SOCKETS_PER_ADDRESS_MAX", 2)
    async with browsing(client=["192.0.2.1", 1]), browsing(client=["192.0.2.1", 2]):
        async with browsing(client=["192.0.2.1", 3]) as third:
            assert (await third.hear())["code"] == "too_many_sockets"
            assert await closed_with(third) == 4429
        async with browsing(client=["192.0.2.2", 1]) as elsewhere:
            assert (await elsewhere.subscribe())["type"] == "snapshot"
    async with browsing(client=["192.0.2.1", 4]) as later:
        assert (await later.subscribe())["type"] == "snapshot"
