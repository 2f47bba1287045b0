"""What tests of the live view are made of: polls that move stations, and browsers that talk to the real sockets."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import wraps
from time import perf_counter
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from msgspec import structs

from eventbus.testing import settle
from stations.feeds.feed_interface import Bad, Fetched, Key, PollFailed, Reading, State, diff
from stations.live import live_updates
from stations.routing import sockets_for_all, sockets_with_user
from stations.services import recording
from tests.stations.live_copy import LiveCopy, decoded

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DEADLINE_SECONDS = 45  # for a frame on a loaded machine; less than the audit's minute, which would bring it too
STATE = State(
    contract="lyon",
    number=1,
    name="BELLECOUR",
    address="Place Bellecour",
    lat=45.7577,
    lng=4.832,
    status="OPEN",
    bikes=10,
    mechanical=6,
    electrical=4,
    stands=10,
    capacity=20,
    connected=True,
    banking=True,
    bonus=False,
    overflow=False,
)

sockets = URLRouter([*sockets_for_all, *sockets_with_user])


def key(number: int = 1, contract: str = "lyon", *, feed: str = "simulator") -> Key:
    return Key(feed, str(number) if ":" in feed else f"{contract}-{number}")


def placed(where: Key, what: State) -> State:
    """The state with the city and the number that its key says."""
    contract, _, number = where.station_id.rpartition("-")
    return structs.replace(what, contract=contract or where.feed.partition(":")[2], number=int(number))


def state(**changed: Any) -> State:
    return State(**{name: getattr(STATE, name) for name in STATE.__struct_fields__} | changed)


def polled(
    stations: dict[Key, State],
    *,
    gone: Iterable[Key] = (),
    faults: dict[Key, Bad] | None = None,
    feed: str = "simulator",
    at: datetime = NOON,
    updated_at: datetime | None = None,
) -> None:
    """Record a poll that found these stations so, and the gone ones no more; the others are as they were."""
    held = recording.load_held(feed)
    readings = [Reading(where, placed(where, what), None) for where, what in stations.items()]
    listed = {*held, *stations} - {*gone}
    fetched = Fetched(readings=readings, bad=Counter((faults or {}).values()), listed=listed, faults=faults or {})
    changes = diff(held, fetched)
    poll = recording.Poll(
        feed=feed, asked_at=at, began=perf_counter(), bad=fetched.bad, changes=changes, updated_at=updated_at
    )
    recording.record_poll(poll=poll, now=at)


def poll_failed(reason: str, *, feed: str = "simulator", at: datetime = NOON + timedelta(minutes=1)) -> None:
    """Record a poll that got no answer."""
    poll = recording.Poll(feed=feed, asked_at=at, began=perf_counter(), failed=PollFailed(reason))
    recording.record_poll(poll=poll, now=at)


async def happens(*arguments: Any, **named: Any) -> None:
    """A poll, and the bus has told it."""
    await sync_to_async(polled)(*arguments, **named)
    await sync_to_async(settle)()


async def reached(seq: int, contract: str = "lyon") -> None:
    """The live state of this loop has come so far with this city."""
    running = await live_updates.here()
    awake = asyncio.Event()
    running.awake.add(awake)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while running.state.channel(contract).seq < seq:
                await awake.wait()
                awake.clear()
    finally:
        running.awake.discard(awake)


def on_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on a loop of its own; the live state ends with it."""

    async def run(*arguments: Any, **fixtures: Any) -> None:
        try:
            await test(*arguments, **fixtures)
        finally:
            await live_updates.close()

    @wraps(test)
    def told(*arguments: Any, **fixtures: Any) -> None:
        async_to_sync(run)(*arguments, **fixtures)

    return told


class Browser:
    """A client of the stations' socket that holds what it was told, as ours does."""

    def __init__(self, socket: WebsocketCommunicator) -> None:
        self.socket = socket
        self.copy = LiveCopy()

    async def receive(self) -> dict[str, Any]:
        """The next frame, whatever it is."""
        message = await self.socket.receive_output(timeout=DEADLINE_SECONDS)
        assert message["type"] == "websocket.send", message
        return decoded(message.get("text") or message["bytes"])

    async def hear(self) -> dict[str, Any]:
        """The next frame about stations, taken to heart. A delta has its rows whole, and the ids of those removed."""
        while True:
            frame = await self.receive()
            if frame["type"] == "delta":
                changes, removed = self.copy.happened(frame)
                return frame | {"changes": changes, "removed": removed}
            if frame["type"] in ("snapshot", "error", "subscribed"):
                self.copy.take(frame)
                return frame

    async def subscribe(self, contracts: Any = "*", since: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Subscribe, and take the answer. Return its first frame."""
        wanted = {"type": "subscribe", "contracts": contracts} | ({"since": since} if since else {}) | more
        await self.socket.send_json_to(wanted)
        first = frame = await self.hear()
        while frame["type"] not in ("subscribed", "error"):
            frame = await self.hear()
        return first

    async def next_of(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind that is not about stations."""
        while True:
            frame = await self.receive()
            if frame["type"] == kind:
                return frame

    def bikes(self, where: Key) -> int:
        bikes: int = self.copy.stations["/".join(where)]["bikes"]
        return bikes


@contextlib.asynccontextmanager
async def browsing(path: str = "/ws/stations/", *, app: Any = sockets, **scope: Any) -> AsyncIterator[Browser]:
    """A connected browser; `scope` is added to the connection's."""
    socket = WebsocketCommunicator(app, path)
    socket.scope.update(scope)
    connected, _ = await socket.connect(timeout=DEADLINE_SECONDS)
    assert connected
    try:
        yield Browser(socket)
    finally:
        await socket.disconnect(timeout=DEADLINE_SECONDS)


async def closed_with(browser: Browser) -> int:
    """The close code, after whatever frames came before it."""
    while True:
        message = await browser.socket.receive_output(timeout=DEADLINE_SECONDS)
        if message["type"] == "websocket.close":
            return message["code"]
