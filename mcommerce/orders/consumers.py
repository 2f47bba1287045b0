"""The socket of an order's page: it sends the order's version and other apps' fragments as they change."""

import asyncio
import json
import logging
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user
from django.http import HttpRequest

from mcommerce.orders import access, limits
from mcommerce.orders.open_sockets import TooManySockets, live_orders
from mcommerce.rate_limits.rate_limit import RateLimited
from mcommerce.web.shared_watch import AWAY
from mcommerce.web.slots.live import LiveFragments

logger = logging.getLogger(__name__)

NOT_FOUND = 4404  # like the page: no such order, or not for this visitor
TOO_MANY = 4429
TRY_AGAIN = 4503  # no change arrives without the database and the log
BROKEN = 4500  # Daphne accepts no code from 1001 to 1999
NOTHING_TO_SAY = 4400  # this socket only sends: a client that writes is not our page
# Several changes within this time are one reload of the page. Shorter than anybody notices.
PAUSE_SECONDS = 0.1
HEARTBEAT_SECONDS = 10  # the longest silence: a browser that receives nothing for two of them reconnects


class OrderConsumer(AsyncWebsocketConsumer):
    """The socket of one browser on one order's page."""

    order_id: UUID
    telling: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.order_id = scope["url_route"]["kwargs"]["order_id"]
        self.changed = asyncio.Event()
        self.fragments = LiveFragments("order", (self.order_id,), scope, wake=self.changed.set)
        # Channels skips `disconnect` when a handler raised or was cancelled. An order may have few sockets, so each
        # one is released however it ends.
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.leave()

    async def connect(self) -> None:
        # Accept first: a browser gets the close code of an open socket only.
        await self.accept()
        if retry_after := await self._too_often():
            await self.close(TOO_MANY, f"Try again in {retry_after} s")
            return
        if await self._version() is None:
            await self.close(NOT_FOUND)
            return
        try:
            live_orders.join(
                self.order_id, self.changed.set, asyncio.get_running_loop(), network=self.scope["client"][0]
            )
        except TooManySockets:
            await self.close(TOO_MANY)
            return
        try:
            await live_orders.start()
        except AWAY:
            await self.close(TRY_AGAIN)
            return
        # Join before reading: an earlier change shows as a newer version, a later one wakes this socket.
        self.telling = asyncio.create_task(self._tell(await self._version()))
        self.fragments.open()

    async def leave(self) -> None:
        live_orders.leave(self.order_id, self.changed.set)
        if self.telling:
            self.telling.cancel()
            await asyncio.wait([self.telling])
        await self.fragments.close()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.close(NOTHING_TO_SAY)

    async def _tell(self, version: int | None) -> None:
        try:
            await self._tell_versions(version)
        except OSError:
            pass  # the browser left during a send: the server disconnects it next
        except Exception:
            logger.exception("The socket of order %s broke; its browser will open another", self.order_id)
            await self.close(BROKEN)

    async def _tell_versions(self, version: int | None) -> None:
        """Send the order's version now, after each change, and as a heartbeat. A slow browser gets only the newest.

        Each read of the version checks that the visitor may see the order. Fragments are sent only right after it.
        """
        fragments: dict[str, Any] = {}
        while version is not None:
            await self.send(json.dumps({"version": version, "heartbeat_s": HEARTBEAT_SECONDS, **fragments}))
            told, fragments = version, {}
            while version == told and not fragments and await self._may_have_changed():
                version, fragments = await self._version(), self.fragments.take()
        await self.close(NOT_FOUND)

    async def _may_have_changed(self) -> bool:
        """Wait for a change; return False when a heartbeat is due first."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self.changed.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(PAUSE_SECONDS)
        self.changed.clear()
        return True

    @database_sync_to_async
    def _too_often(self) -> int | None:
        """Return the seconds to wait if this network opened too many sockets, else None.

        The limit keeps strangers from trying out ids of orders.
        """
        try:
            limits.ORDER_SOCKETS_PER_NETWORK.hit(self.scope["client"][0])
        except RateLimited as limited:
            return limited.retry_after
        return None

    @database_sync_to_async
    def _version(self) -> int | None:
        """Return the order's version; None if this visitor may not see the order (any more).

        Each call checks the visitor again, since they may have signed out meanwhile.
        """
        visitor = HttpRequest()
        visitor.session = self.scope["session"].__class__(self.scope["session"].session_key)
        found = access.find_visible(self.order_id, user=get_user(visitor), session=visitor.session)
        return found.version if found else None
