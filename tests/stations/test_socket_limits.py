"""What the stations' socket refuses: floods, pages of another time, and what is no request."""

from collections import Counter
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from msgspec.structs import replace

from eventbus.testing import settle
from stations.feeds.feed_interface import Fetched, Reading, diff
from stations.services import recording
from stations.sockets import admission
from stations.sockets.protocol import BadRequest, read
from tests.stations.socket_client import NOON, browsing, closed_with, key, on_a_loop, placed, polled, state

pytestmark = pytest.mark.django_db(transaction=True)

NO_REQUESTS = {
    "bytes": (None, "not_text"),
    "half a character": ('"\ud800"', "bad_json"),
    "half a character in JSON": ('{"type":"subscribe","contracts":["\\ud800"]}', "bad_json"),
    "a list": ("[]", "bad_json"),
    "deep": ("[" * 10_000, "bad_json"),
    "too large": ('{"type":"subscribe","contracts":["' + "x" * 17_000 + '"]}', "too_large"),
    "another type": ('{"type":"publish"}', "unknown_type"),
    "a page of protocol 1": ('{"type":"subscribe","contracts":"*","since":{"epoch":"x","seq":7}}', "old_protocol"),
}


@pytest.fixture(autouse=True)
def _one_station(db: None) -> None:
    polled({key(1): state(bikes=10)})


@pytest.mark.parametrize(("text", "code"), NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_what_is_no_request_ends_the_socket_with_its_reason(text: str | None, code: str) -> None:
    with pytest.raises(BadRequest) as wrong:
        read(text)
    assert (wrong.value.code, wrong.value.fatal) == (code, True)


@pytest.mark.parametrize("since", [3, [3], {"epoch": "x"}, {"epoch": "x", "seqs": {"lyon": -1}}])
@on_a_loop
async def test_a_request_with_a_mistake_is_refused_and_the_socket_stays(since: Any) -> None:
    async with browsing() as browser:
        assert (await browser.subscribe(since=since))["code"] == "bad_subscribe"
        assert (await browser.subscribe())["type"] == "snapshot"


@on_a_loop
async def test_the_sockets_of_one_address_share_a_limit_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MESSAGES_PER_ADDRESS_MAX", 3)
    async with (
        browsing(client=["192.0.2.1", 1]) as one,
        browsing(client=["192.0.2.1", 2]) as other,
        browsing(client=["192.0.2.2", 1]) as elsewhere,
    ):
        for browser in (one, one, other, elsewhere):
            assert (await browser.subscribe())["type"] == "snapshot"

        await other.socket.send_json_to({"type": "subscribe", "contracts": "*"})
        assert await closed_with(other) == 4429
        assert (await elsewhere.subscribe())["type"] == "snapshot"


@on_a_loop
async def test_a_station_that_moves_to_a_city_of_another_feed_is_told_as_removed(settings: Any) -> None:
    settings.STATIONS_FEEDS = ["simulator", "jcdecaux:nantes"]
    async with browsing() as browser:
        await browser.subscribe("*")

        await sync_to_async(moves_to)("nantes")
        frame = await browser.hear()

    assert (frame["removed"], frame["changes"]) == (["/".join(key(1))], [])
    assert browser.copy.stations == {}


def moves_to(contract: str) -> None:
    """The station's feed says that it is in another city now."""
    held, where = recording.load_held("simulator"), key(1)
    seen = replace(placed(where, state(bikes=9)), contract=contract)
    changes = diff(held, Fetched(readings=[Reading(where, seen, None)], bad=Counter(), listed={where}))
    poll = recording.Poll(feed="simulator", asked_at=NOON, began=0.0, bad=Counter(), changes=changes)
    recording.record_poll(poll=poll, now=NOON)
    settle()
