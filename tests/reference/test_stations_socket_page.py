"""A developer who has read docs/stations-socket.md and nothing else writes a program, and the site talks as it says."""

import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from eventbus.testing import settle
from mcommerce.web.slots.live import open_pages
from stations.feeds.feed_interface import Bad
from stations.live import channel, live_updates
from stations.services.recording import delete_remarks, leave_remark
from stations.sockets import admission, protocol, pull_socket, subscription
from tests.mcommerce.slots.conftest import no_installed_fragments, points_app  # noqa: F401
from tests.reference.socket_program import PAGE, SENT, SITE, connected
from tests.reference.tables import ROOT, rows
from tests.stations.socket_client import DEADLINE_SECONDS, NOON, closed_with, happens, key, on_a_loop, polled, state

STATION = "simulator/lyon-7"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _public_site(settings: Any) -> None:
    settings.SITE_URL, settings.ALLOWED_HOSTS = SITE, ["shop.example", "testserver"]
    settings.STATIONS_PRODUCER_OPEN = True


async def remark() -> Any:
    left = await sync_to_async(leave_remark)(name="Ada", message="Nice", client="session", now=NOON)
    await sync_to_async(settle)()
    return left


async def forget(left: Any) -> None:
    await sync_to_async(delete_remarks)([left.id])
    await sync_to_async(settle)()


# --- frames ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def fragments(points_app: None) -> Iterator[None]:  # noqa: F811
    """Another app shows something on the station's page."""
    yield
    open_pages.close()


@pytest.mark.usefixtures("fragments")
@on_a_loop
async def test_each_frame_of_the_table_comes_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    await happens({key(7): state(bikes=10)})
    async with connected() as program:
        await program.next("hello")
        await program.ask(contracts=["lyon"], station=STATION)
        for kind in ("snapshot", "subscribed", "feed", "remarks", "fragments"):
            await program.next(kind)
        await happens({key(7): state(bikes=9)})
        await program.next("delta")
        left = await remark()
        assert (await program.next("remark"))["id"] == str(left.id)
        await forget(left)
        assert (await program.next("remark_deleted"))["id"] == str(left.id)
        before = program.since
        await happens({key(7): state(bikes=8)})
        await program.next("delta")
    heard = {*program.kinds}

    monkeypatch.setattr(pull_socket, "HEARTBEAT_SECONDS", 0.05)
    async with connected() as again:
        await again.ask(contracts="*", since=before)
        missed = await again.next("delta")
        for kind in ("tick",):
            await again.next(kind)
        await again.socket.send_json_to({"type": "dance"})
        await again.next("error")
    assert missed["prev"] == before["seqs"]["lyon"]
    assert program.kinds[0] == again.kinds[0] == "hello", "once, first"
    assert program.kinds.count("hello") == 1
    assert heard | {*again.kinds} == SENT.keys()


@on_a_loop
async def test_a_program_that_missed_a_frame_subscribes_again_and_holds_the_state() -> None:
    await happens({key(7): state(bikes=10)})
    async with connected() as program:
        await program.ask(contracts="*")
        await program.next("snapshot")
        held, rows = program.since, {number: {**row} for number, row in program.rows["lyon"].items()}
        await happens({key(7): state(bikes=4), key(8): state(bikes=1)})
        await program.next("delta")
        program.seqs, program.rows = {**held["seqs"]}, {"lyon": rows}  # it was lost on the way

        await happens({key(7): state(bikes=3)})
        await program.next("delta")
        resumed = await program.next("delta")

    assert resumed["prev"] == held["seqs"]["lyon"]
    assert (program.bikes(7), program.bikes(8)) == (3, 1)


@on_a_loop
async def test_a_change_holds_the_fields_that_changed_and_what_happened() -> None:
    [sentence] = re.findall(r"have no columns: (.*?)\. They", " ".join(PAGE.split()))
    await happens({key(7): state(bikes=10)})
    async with connected() as program:
        await program.ask(contracts=["lyon"])
        whole = await program.next("snapshot")
        await happens({key(7): state(bikes=9)})
        [[number, *parts]] = (await program.next("delta"))["changes"]

    happened = re.findall(r"`(\w+)`", sentence)
    assert whole["fields"][len(whole["columns"]) :] == happened
    told = {whole["fields"][field]: value for field, value in zip(parts[::2], parts[1::2], strict=True)}
    assert (number, told) == (whole["numbers"][0], {"bikes": 9, "taken": 1})


@on_a_loop
async def test_a_station_whose_row_cannot_be_read_has_the_field_that_says_so() -> None:
    await happens({key(7): state(bikes=10)})
    await happens({}, faults={key(7): next(iter(Bad))})
    async with connected() as program:
        await program.ask(contracts="*")
        await program.next("snapshot")

    assert "A station with a field `bad`" in PAGE
    assert program.stations[STATION]["bad"] == next(iter(Bad))
    assert program.bikes(7) == 10, "the last readable one"


@on_a_loop
async def test_before_its_first_poll_a_feed_has_no_time() -> None:
    async with connected() as program:
        await program.ask(contracts="*")
        feed = await program.next("feed")

    assert (feed["at"], feed["ok"]) == (None, False)


@on_a_loop
async def test_who_asks_to_follow_others_gets_them_instead() -> None:
    await happens({key(7): state(), key(1, "nantes"): state()})
    async with connected() as program:
        for contract in ("lyon", "nantes"):
            program.rows.clear()
            await program.ask(contracts=[contract])
            await program.next("subscribed")

    assert program.stations.keys() == {"simulator/nantes-1"}


# --- who is let in, and how it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["http://shop.example", "https://shop.example:8000", "https://elsewhere.example"])
@on_a_loop
async def test_an_origin_that_is_not_the_sites_address_is_refused(origin: str) -> None:
    with pytest.raises(PermissionError):
        async with connected(origin=origin):
            pass


@on_a_loop
async def test_a_message_that_is_no_request_ends_with_its_code() -> None:
    async with connected() as program:
        await program.socket.send_to(text_data=" " * protocol.MESSAGE_BYTES_MAX + "{}")

        assert await closed_with(program) == 4400  # type: ignore[arg-type]  # it has a socket, as a browser does


def test_each_code_of_the_table_is_one_that_the_server_closes_with() -> None:
    told = {int(code) for row in rows(PAGE) if "close code" in row for code in row["close code"].split(", ")}
    ours = {value for name, value in vars(pull_socket).items() if name.startswith("CLOSE_")}

    assert told == ours | {1009}, "1009 is the one of uvicorn for a message that is too large"


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    entrypoint = runpy.run_path(str(ROOT / "docker-entrypoint"))

    for written in (
        f"{admission.MESSAGES_MAX} messages in {admission.MESSAGES_SECONDS} seconds at most",
        f"more than {protocol.MESSAGE_BYTES_MAX // 1024} kB: connecting again",
        f"more than {entrypoint['MESSAGE_BYTES_MAX'] // 1024} kB: the server ends the connection",
        f"more than {admission.SOCKETS_PER_ADDRESS_MAX} sockets of one network",
        f"more than {admission.MESSAGES_PER_ADDRESS_MAX} messages of it in {admission.MESSAGES_SECONDS} seconds",
        f"have {subscription.RESUMED_CHANGES_MAX:,} changes at most",
        f"more than {channel.CHANGES_KEPT_MIN}, it receives a snapshot",
        f"at most every {live_updates.SUMS_SECONDS:.0f} seconds",
        f"reads nothing for {pull_socket.STALLED_SECONDS_MAX} seconds",
    ):
        assert written in text
    assert ("at most four a second" in text, 1 / live_updates.TICK_SECONDS) == (True, 4)
    assert ("than four times the stations of a city" in text, channel.CHANGES_KEPT_PER_ROW) == (True, 4)
    assert ("closes the socket within a minute" in text, admission.WHO_SECONDS < 60) == (True, True)


# --- the other ways --------------------------------------------------------------------------------------------------


@on_a_loop
async def test_the_socket_about_polling_sends_the_frames_that_are_listed() -> None:
    listed = set(
        re.findall(r"`(\w+)`", PAGE.partition("The server sends these\nframes:")[2].partition("`/stations")[0])
    )
    listed.discard("key")
    assert listed & SENT.keys() == {"feed", "remarks", "remark", "remark_deleted"}
    heard: dict[str, dict[str, Any]] = {}
    async with connected("/ws/producer/") as program:
        await program.next("hello")
        await sync_to_async(start_polling)()
        await happens({key(7): state()}, faults={key(8): next(iter(Bad))})
        await forget(await remark())
        while not listed <= heard.keys():
            frame = await program.socket.receive_json_from(timeout=DEADLINE_SECONDS)
            heard[frame["type"]] = frame

    assert heard.keys() - {"tick"} == listed
    assert [one for name in listed & SENT.keys() for one in SENT[name].misfits(heard[name], name)] == []
    assert heard["poll"]["key"] and [one["rows"] for one in heard["poll"]["bad"]] == [1]
    assert heard["plan"].keys() == {"type", "feed", "interval_ms", "calls_left", "running"}


def start_polling() -> None:
    plan = {"action": "start", "interval_ms": 500, "calls": 3}
    assert Client().post("/stations/producer/plan/simulator/", plan).status_code == 302


def test_the_stations_come_over_http_without_an_epoch_before_any_socket() -> None:
    [address] = re.findall(r"`(/stations/state\.json\?\S+)`", PAGE)
    polled({key(7): state(), key(1, "nantes"): state()})

    frame = Client().get(address).json()

    assert frame.keys() == {"epoch", "seqs", "stations"}
    assert (frame["epoch"], [one["id"] for one in frame["stations"]]) == ("", [STATION])


@on_a_loop
async def test_with_a_socket_the_epoch_over_http_is_the_sockets() -> None:
    await happens({key(7): state()})
    async with connected() as program:
        await program.ask(contracts="*")
        await program.next("snapshot")
        frame = (await sync_to_async(Client().get)("/stations/state.json?contract=lyon")).json()

    assert (frame["epoch"], frame["seqs"]["lyon"]) == (program.epoch, program.seqs["lyon"])
