"""The live fragments of open pages: drawn when a page's socket opens, and anew after each of their events.

A watch, one for the process, notes which fragments of which open pages an event concerns. Each page draws them in a
thread, as its own visitor sees them, and wakes its socket. The socket takes what is new at its own pace, so a burst of
events costs few drawings, and a slow browser costs no memory.
"""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest
from django.utils import translation

from eventbus import watches
from mcommerce.web.shared_watch import AWAY, SharedWatch
from mcommerce.web.slots.drawing import Drawn, drawn, with_digest
from mcommerce.web.slots.failed_drawings import FailedDrawings
from mcommerce.web.slots.registry import Fragment, Key, fragments_of, live_fragments
from mcommerce.web.slots.visitor import request_of

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.1  # between two drawings for one page: the events of that time are one. Shorter than anybody notices
START_SECONDS = 5  # between two attempts to watch, while the database or the log is unavailable
DRAWING_THREADS = 4  # of this process, each with a connection: a slow fragment delays other fragments, and no order

_threads = ThreadPoolExecutor(DRAWING_THREADS, thread_name_prefix="fragments")


class LiveFragments:
    """The fragments of one open page. Belongs to its socket's event loop.

    `wake()` is called when `take()` has something. The socket decides before that who may see the page.
    """

    def __init__(self, place: str, key: Key, scope: Any, *, wake: Callable[[], None]) -> None:
        self.place, self.key = place, key
        self.loop = asyncio.get_running_loop()
        self._fragments = {one.name: one for one in fragments_of(place) if one.updates_on}
        self._scope, self._wake = scope, wake
        self._due: set[str] = set()
        self._changed = asyncio.Event()
        self._told: dict[str, str] = {}  # digests of what the page has
        self._ready: dict[str, Drawn] = {}
        self._failed = FailedDrawings(self.change)
        self._drawing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to draw: first all fragments as they are now, then each one after its events."""
        if self._fragments:
            self._drawing = asyncio.create_task(self._draw_for_ever())

    async def close(self) -> None:
        """Stop drawing. Does nothing if it never began."""
        if self._drawing:
            open_pages.leave(self)
            self._drawing.cancel()
            await asyncio.wait([self._drawing])
            self._failed.close()

    def take(self) -> dict[str, Any]:
        """Return what the page lacks as a part of a frame; {} if it has everything."""
        ready, self._ready = self._ready, {}
        self._told |= {name: one.digest for name, one in ready.items()}
        return {"fragments": {name: one._asdict() for name, one in ready.items()}} if ready else {}

    def change(self, names: Iterable[str]) -> None:
        """Note that these fragments may show something else now. Call it on the page's loop."""
        self._due |= self._fragments.keys() & set(names)
        self._changed.set()

    async def _draw_for_ever(self) -> None:
        try:
            await self._join()
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._draw()
                await asyncio.sleep(PAUSE_SECONDS)
        except Exception:
            logger.exception("The fragments of %s %s broke; they stay as they are", self.place, self.key)

    async def _join(self) -> None:
        """Join before drawing: an earlier change is drawn, a later one is an event that wakes this page."""
        open_pages.join(self)
        while True:
            try:
                await open_pages.start()
                break
            except AWAY:
                await asyncio.sleep(START_SECONDS)
        self.change(self._fragments)

    async def _draw(self) -> None:
        due, self._due = self._due, set()
        drawing = sync_to_async(self._drawn, thread_sensitive=False, executor=_threads)
        came = await drawing([self._fragments[name] for name in sorted(due)])
        for name in due:
            if name in came:
                self._note(name, came[name])
            else:
                self._failed.add(name)
        if self._ready:
            self._wake()

    def _note(self, name: str, came: Drawn) -> None:
        self._failed.remove(name)
        if came.digest != self._told.get(name):
            self._ready[name] = came
        else:
            self._ready.pop(name, None)

    def _drawn(self, fragments: list[Fragment]) -> dict[str, Drawn]:
        """Draw the fragments as the visitor of this socket sees them, in their language; leave out those that fail."""
        request = request_of(self._scope)
        try:
            with translation.override(translation.get_language_from_request(request)):
                tried = {one.name: self._try(one, request) for one in fragments}
                return {name: came for name, came in tried.items() if came}
        finally:
            connections.close_all()  # this thread's: it may be idle for long

    def _try(self, one: Fragment, request: HttpRequest) -> Drawn | None:
        """Draw one. If that fails, return None: the page keeps what it shows. Only its first failure is logged."""
        try:
            return with_digest(drawn(one, self.key, request))
        except Exception:
            if one.name not in self._failed:
                logger.exception("The fragment %s failed for %s; the page keeps what it shows", one.name, self.key)
            return None


class OpenPages:
    """The open pages of this process with live fragments, and the watch on the events of all fragments."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[tuple[str, Key], set[LiveFragments]] = defaultdict(set)
        self._watch = SharedWatch("fragments-watch", self._begin)

    async def start(self) -> None:
        """Start the watch. Every event published after the return reaches its pages.

        Raises one of AWAY if the database or the log is unavailable.
        """
        await self._watch.start()

    def close(self) -> None:
        """Stop watching."""
        self._watch.close()

    def join(self, page: LiveFragments) -> None:
        """Let events change this page, until it leaves."""
        with self._lock:
            self._pages[page.place, page.key].add(page)

    def leave(self, page: LiveFragments) -> None:
        """Forget this page. Does nothing if it never joined."""
        with self._lock:
            pages = self._pages.get((page.place, page.key), set())
            pages.discard(page)
            if not pages:
                self._pages.pop((page.place, page.key), None)

    def _begin(self) -> Any:
        event_types = {event_type for one in live_fragments() for event_type in one.updates_on}
        return watches(*event_types, call=self._tell, reset=self._change_all)

    def _tell(self, events: list[Any]) -> None:
        """Change the pages that a batch of events concerns, in the watch's thread."""
        fragments = live_fragments()
        changes: dict[tuple[str, Key], set[str]] = defaultdict(set)
        for event in events:
            for one in fragments:
                if isinstance(event, one.updates_on):
                    for where in self._concerned(one, event):
                        changes[where].add(one.name)
        self._change(changes)

    def _concerned(self, one: Fragment, event: Any) -> list[tuple[str, Key]]:
        """Return the open pages on which an event changes a fragment."""
        if one.matches is None:
            return [(one.place, one.key_of(event))]
        with self._lock:
            keys = [key for place, key in self._pages if place == one.place]
        return [(one.place, key) for key in keys if _matches(one, event, key)]

    def _change_all(self) -> None:
        """Have everything drawn anew: an event may have been missed."""
        names = {one.name for one in live_fragments()}
        with self._lock:
            everywhere = dict.fromkeys(self._pages, names)
        self._change(everywhere)

    def _change(self, changes: dict[tuple[str, Key], set[str]]) -> None:
        with self._lock:
            concerned = [(page, names) for where, names in changes.items() for page in self._pages.get(where, ())]
        for page, names in concerned:
            with suppress(RuntimeError):  # the server has stopped and closed its loop
                page.loop.call_soon_threadsafe(page.change, names)


def _matches(one: Fragment, event: Any, key: Key) -> bool:
    try:
        return bool(one.matches and one.matches(event, *key))
    except Exception:
        logger.exception("matches of the fragment %s failed for %s; its page stays as it is", one.name, key)
        return False


open_pages = OpenPages()
