"""The live state of this process: its watches, the stations, and a tick that wakes every socket.

Each process that serves browsers holds all stations. First it watches events, then it loads the rows, then it applies
every newer event. So no change between the first two steps is lost. No frame is pushed to a socket: a tick wakes the
sockets. Each then pulls the changes that its client lacks, at its own pace.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, connections

from eventbus import clock, watches
from eventbus.errors import LogUnavailable
from stations.events import PollFinished, RemarkDeleted, RemarkLeft, StationChanged
from stations.live.change_buffer import ChangeBuffer
from stations.live.channel import Contracts
from stations.live.live_state import LiveState
from stations.live.status_frames import Event, StatusFrames, StoredStatus, stored_status

logger = logging.getLogger(__name__)
T = TypeVar("T")

TICK_SECONDS = 0.25  # at most four frames of a city in a second to each socket: a burst of events is one frame
SUMS_SECONDS = 2.0  # between two frames of the cities' sums: from afar nobody sees a single bike sooner
AUDIT_SECONDS = 60  # between two comparisons of versions with the rows; a correct bus leaves nothing to mend
LOOK_TIMEOUT_SECONDS = 5  # the longest time that another thread waits for the loop
AWAY = (DatabaseError, InterfaceError, LogUnavailable)  # errors of a start without database or log; clients try again


class Watch(Protocol):
    def close(self) -> None: ...


class Live:
    """The stations, feeds and remarks as of the last tick. Belongs to one event loop; use `here()` to get it.

    Only code on that loop may read `state` and `status`. After a reload of the rows `state` is a new object with a new
    epoch.
    """

    def __init__(self) -> None:
        self.state = LiveState()
        self.status = StatusFrames()
        self.awake: set[asyncio.Event] = set()  # the sockets' events: a tick sets them all
        self.loop = asyncio.get_running_loop()
        self._buffer = ChangeBuffer()
        self._events: list[Event] = []
        self._stored_status: StoredStatus | None = None
        self._handing_over = Lock()
        self._tick: asyncio.TimerHandle | None = None
        self._sums_tick: asyncio.TimerHandle | None = None
        self._ticked_at = self._summed_at = float("-inf")  # the loop's clock
        self._watches: list[Watch] = []
        self._audit: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the watches, then load the rows. Raises one of AWAY if database or log are unavailable."""
        try:
            await _in_thread(self._start)
        except AWAY:
            logger.exception("The live state of the stations cannot start")  # once for all waiting sockets
            raise
        self._look()
        self._audit = asyncio.create_task(self._audit_for_ever())

    async def close(self) -> None:
        if self._audit:
            self._audit.cancel()
        for tick in filter(None, (self._tick, self._sums_tick)):
            tick.cancel()
        watches_held, self._watches = self._watches, []
        await asyncio.gather(*(_in_thread(watch.close) for watch in watches_held))

    def written(self, contracts: Contracts | None) -> bytes:
        """Return the stations as JSON. For any thread: the page `state.json` shows it."""
        return _on_loop(self.loop, lambda: self.state.written(contracts))

    def _start(self) -> None:
        # Watch first: an event between the two arrives, and its version is compared with the rows.
        self._watches.append(watches(StationChanged, call=self._receive_stations, reset=self._reload))
        told = (PollFinished, RemarkLeft, RemarkDeleted)
        self._watches.append(watches(*told, call=self._receive_status, reset=self._remember))
        self._buffer.load()
        self._remember()

    def _receive_stations(self, events: list[StationChanged]) -> None:
        self._buffer.receive(events)
        self._wake()

    def _receive_status(self, events: list[Event]) -> None:
        with self._handing_over:
            self._events.extend(events)
        self._wake()

    def _reload(self) -> None:
        self._buffer.load()
        self._wake()

    def _remember(self) -> None:
        rows = stored_status()
        with self._handing_over:
            self._stored_status = rows
        self._wake()

    def _wake(self) -> None:
        """Plan a tick on the event loop, once for each batch of events: a call to the loop costs 11 us."""
        with contextlib.suppress(RuntimeError):  # the server has stopped and closed its loop
            self.loop.call_soon_threadsafe(self._plan_tick)

    def _plan_tick(self) -> None:
        if self._tick is None:
            self._tick = self.loop.call_at(self._ticked_at + TICK_SECONDS, self._look)

    def _look(self) -> None:
        """Run the tick: apply the input and wake the sockets."""
        self._tick = None
        self._ticked_at = self.loop.time()
        now = clock.now()
        taken = self._buffer.take()
        if taken.rows is not None:
            self.state = LiveState(taken.rows)
        if taken.rows is not None or taken.changes:
            self.state.apply(taken.changes, at=now)
        with self._handing_over:
            events, self._events = self._events, []
            rows, self._stored_status = self._stored_status, None
        if rows is not None:
            self.status.replace(rows)
        for event in events:
            self.status.add(event)
        self._sum_up()
        self._wake_sockets()

    def _sum_up(self) -> None:
        """Make the sums of the changed cities, now or when they are due."""
        if not self.state.has_unsummed or self._sums_tick:
            return
        due = self._summed_at + SUMS_SECONDS
        if self.loop.time() < due:
            self._sums_tick = self.loop.call_at(due, self._sum_up_later)
            return
        self._summed_at = self.loop.time()
        self.state.sum_up(at=clock.now())

    def _sum_up_later(self) -> None:
        self._sums_tick = None
        self._sum_up()
        self._wake_sockets()

    def _wake_sockets(self) -> None:
        for awake in self.awake:
            awake.set()

    async def _audit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(AUDIT_SECONDS)
            try:
                mended = await _in_thread(self._buffer.audit)
            except AWAY:
                logger.warning("Could not compare the live stations with their rows; trying again in a minute")
                continue
            if mended:
                logger.warning("The live state lagged behind the rows of %d stations; read them again", mended)
                self._plan_tick()


_lives: dict[asyncio.AbstractEventLoop, "asyncio.Task[Live]"] = {}


async def here() -> Live:
    """Return the live state of this loop; the first call starts it. Raises one of AWAY if it cannot start."""
    loop = asyncio.get_running_loop()
    for other in [other for other in _lives if other.is_closed()]:
        del _lives[other]
    task = _lives.get(loop)
    if task is None or (task.done() and (task.cancelled() or task.exception())):
        task = _lives[loop] = asyncio.create_task(_started())
    return await asyncio.shield(task)  # a visitor that leaves early does not end it for the others


async def close() -> None:
    """End the live state of this loop, if there is one."""
    task = _lives.pop(asyncio.get_running_loop(), None)
    if task is None:
        return
    try:
        live = await task
    except AWAY:
        return  # it could not start, and has closed itself
    await live.close()


def anywhere() -> Live | None:
    """Return this process's running live state, for code outside of its loop; None if there is none."""
    for loop, task in list(_lives.items()):
        if loop.is_running() and task.done() and not task.cancelled() and not task.exception():
            return task.result()
    return None


async def _started() -> Live:
    live = Live()
    try:
        await live.start()
    except BaseException:
        await live.close()
        raise
    return live


async def _in_thread(work: Callable[[], Any]) -> Any:
    def worked() -> Any:
        try:
            return work()
        finally:
            connections.close_all()  # this thread's: it may be idle for long

    return await sync_to_async(worked, thread_sensitive=False)()


def _on_loop(loop: asyncio.AbstractEventLoop, look: Callable[[], T]) -> T:
    async def looked() -> T:
        return look()

    return asyncio.run_coroutine_threadsafe(looked(), loop).result(timeout=LOOK_TIMEOUT_SECONDS)
