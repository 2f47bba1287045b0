"""A developer who has read docs/stations-socket.md and nothing else writes a program, and the site talks as it says."""

import json
import re
import runpy
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from eventbus.testing import settle
from mcommerce.routing import build_application
from mcommerce.web.slots.live import open_pages
from stations.feeds.feed_interface import Bad
from stations.live import channel, live_updates
from stations.services.recording import delete_remarks, leave_remark
from stations.sockets import admission, protocol, pull_socket, subscription
from tests.mcommerce.slots.conftest import no_installed_fragments, points_app  # noqa: F401
from tests.reference.tables import ROOT, rows
from tests.stations.socket_client import DEADLINE_SECONDS, NOON, closed_with, happens, key, on_a_loop, polled, state

TOKEN = re.compile(r'\s*("[^"]*"|\d+|\.\.\.|\w+|[{}\[\]:,?])')


class Shape(Protocol):
    """A kind of JSON value."""

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        """Sentences about what in the value is not as it is written."""
        ...


@dataclass(frozen=True)
class Anything:
    """A value that the page leaves out, or names by a word."""

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        yield from ()


@dataclass(frozen=True)
class Exactly:
    """A value that the page spells."""

    value: Any

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if value != self.value:
            yield f"{where} is {value!r}, and the page says {self.value!r}"


@dataclass(frozen=True)
class Listed:
    """A list of values of one kind."""

    item: Shape

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for number, one in enumerate(value):
            yield from self.item.misfits(one, f"{where}[{number}]")


@dataclass(frozen=True)
class Mapped:
    """An object with any names."""

    item: Shape

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is no object"
            return
        for name, one in value.items():
            yield from self.item.misfits(one, f"{where}.{name}")


@dataclass(frozen=True)
class Chosen:
    """One of several."""

    choices: tuple[Shape, ...]

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if all(any(one.misfits(value, where)) for one in self.choices):
            yield f"{where} is {value!r}, and none of those that the page names"


@dataclass(frozen=True)
class Members:
    """An object with these names, some of which may be left out."""

    required: dict[str, Shape]
    optional: dict[str, Shape]

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is no object"
            return
        known = self.required | self.optional
        yield from (f"{where} lacks {name}" for name in self.required.keys() - value.keys())
        yield from (f"{where} has {name}, and the page does not say so" for name in value.keys() - known.keys())
        for name in known.keys() & value.keys():
            yield from known[name].misfits(value[name], f"{where}.{name}")


def shape_of(text: str) -> Members:
    """The shape that a page writes. Raises ValueError."""
    tokens = TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise ValueError(f"no shape: {text}")
    found = _Reader(tokens)
    shape = found.value()
    if found.tokens or not isinstance(shape, Members):
        raise ValueError(f"no shape of a frame: {text}")
    return shape


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def value(self) -> Shape:
        choices = [self._one()]
        while self._taken("or"):
            choices.append(self._one())
        return choices[0] if len(choices) == 1 else Chosen(tuple(choices))

    def _one(self) -> Shape:
        token = self.tokens.pop(0)
        if token == "{":
            return self._object()
        if token == "[":
            item = self.value()
            self._expect("]")
            return Listed(item)
        return Exactly(json.loads(token)) if token[0] == '"' or token.isdecimal() else Anything()

    def _object(self) -> Shape:
        members: dict[bool, dict[str, Shape]] = {True: {}, False: {}}
        while True:
            name = self.tokens.pop(0)
            shape = self.value() if self._taken(":") else Anything()
            if name[0] != '"':
                self._expect("}")
                return Mapped(shape)
            members[self._taken("?")][name.strip('"')] = shape
            if self._taken("}"):
                return Members(required=members[False], optional=members[True])
            self._expect(",")

    def _taken(self, token: str) -> bool:
        return self.tokens[:1] == [token] and bool(self.tokens.pop(0))

    def _expect(self, token: str) -> None:
        if not self._taken(token):
            raise ValueError(f"{token} is missing before {self.tokens[:3]}")


PAGE = (ROOT / "docs/stations-socket.md").read_text()
WRITTEN = [(row["direction"], row["frame"].strip("`")) for row in rows(PAGE) if "frame" in row]
SENT = {json.loads(re.findall(r'"type":("\w+")', one)[0]): shape_of(one) for way, one in WRITTEN if "from" in way}
[REQUEST] = [shape_of(one) for way, one in WRITTEN if way == "to the server"]
SITE = "https://shop.example"


class Program:
    """It keeps a copy of the live state, and lets nothing pass that the page does not say."""

    def __init__(self, socket: WebsocketCommunicator) -> None:
        self.socket, self.kinds = socket, list[str]()
        self.epoch, self.fields = "", list[str]()
        self.seqs, self.rows = dict[str, int](), dict[str, dict[int, dict[str, Any]]]()

    async def ask(self, **words: Any) -> None:
        request = {"type": "subscribe"} | words
        assert list(REQUEST.misfits(request, "request")) == []
        await self.socket.send_json_to(request)

    async def next(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind. All others are read too."""
        while True:
            message = await self.socket.receive_from(timeout=DEADLINE_SECONDS)
            text = zlib.decompress(message) if isinstance(message, bytes) else message
            frame: dict[str, Any] = json.loads(text)
            assert list(SENT[frame["type"]].misfits(frame, frame["type"])) == []
            self.kinds.append(frame["type"])
            await self.take(frame)
            if frame["type"] == kind:
                return frame

    async def take(self, frame: dict[str, Any]) -> None:
        name = frame.get("contract", "")
        if frame["type"] == "snapshot":
            self.epoch, self.fields = frame["epoch"], frame["fields"]
            self.seqs[name] = frame["seq"]
            rows = [dict(zip(self.fields, row, strict=False)) for row in zip(*frame["columns"], strict=True)]
            self.rows[name] = dict(zip(frame["numbers"], rows, strict=True))
        elif frame["type"] == "delta" and frame["epoch"] == self.epoch and self.holds(frame):
            self.seqs[name] = frame["seq"]
            for number, *parts in frame["changes"]:
                told = dict(zip([self.fields[field] for field in parts[::2]], parts[1::2], strict=True))
                self.rows[name].setdefault(number, {}).update(told)
                if not told:
                    del self.rows[name][number]
        elif frame["type"] == "delta":
            await self.ask(contracts="*", since=self.since)

    def holds(self, delta: dict[str, Any]) -> bool:
        return delta["contract"] in self.seqs and delta["prev"] <= self.seqs[delta["contract"]]

    @property
    def since(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "seqs": {**self.seqs}}

    @property
    def stations(self) -> dict[str, Any]:
        return {f"{one['feed']}/{one['station_id']}": one for rows in self.rows.values() for one in rows.values()}

    def bikes(self, number: int) -> int:
        bikes: int = self.stations[f"simulator/lyon-{number}"]["bikes"]
        return bikes


@asynccontextmanager
async def connected(path: str = "/ws/stations/", *, origin: str = SITE) -> AsyncIterator[Program]:
    headers = [(b"host", b"shop.example"), (b"origin", origin.encode())]
    socket = WebsocketCommunicator(build_application(), path, headers=headers)
    socket.scope["scheme"] = "wss"
    allowed, _code = await socket.connect(timeout=DEADLINE_SECONDS)
    if not allowed:
        raise PermissionError(origin)
    try:
        yield Program(socket)
    finally:
        await socket.disconnect(timeout=DEADLINE_SECONDS)


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
