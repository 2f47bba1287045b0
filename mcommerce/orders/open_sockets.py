"""The open sockets of this process, by order. An event of an order wakes its sockets.

The bus calls `_tell` in the thread of the watch. Each socket belongs to its server's event loop, so its wakeup is
passed on with `call_soon_threadsafe`. Nothing is sent from here: a batch of events wakes a socket once, and the socket
reads the change itself.
"""

import threading
from asyncio import AbstractEventLoop
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from eventbus import watches
from mcommerce.events import (
    OrderAwaitingPayment,
    OrderCancelled,
    OrderConfirmationAsked,
    OrderDelivered,
    OrderOverdue,
    OrderPaid,
    OrderPaymentDeclined,
    OrderPaymentStatusChanged,
    OrderRefunded,
    OrderRefundFailed,
    OrderRefundRequested,
    OrderReturned,
    OrderShipped,
)
from mcommerce.web.shared_watch import SharedWatch

# The orders publish each of them in the transaction that writes the row: a socket that wakes reads the change.
CHANGES = (
    OrderAwaitingPayment,
    OrderConfirmationAsked,
    OrderPaymentDeclined,
    OrderPaymentStatusChanged,
    OrderOverdue,
    OrderPaid,
    OrderCancelled,
    OrderRefundRequested,
    OrderRefunded,
    OrderRefundFailed,
    OrderShipped,
    OrderDelivered,
    OrderReturned,
)
SOCKETS_PER_NETWORK_MAX = 60  # in this process: an office behind one address; a socket costs some 50 kB
SOCKETS_PER_ORDER_MAX = 20  # tabs and devices of one household; each reloads a page with every change


class TooManySockets(Exception):
    """This order or this network has the maximum of open sockets already."""


class LiveOrders:
    """The sockets of one process by order. Any thread may call it; wakers run on their own loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watch = SharedWatch("orders-watch", lambda: watches(*CHANGES, call=self._tell, reset=self._wake_all))
        self._sockets: dict[UUID, dict[Callable[[], None], tuple[AbstractEventLoop, str]]] = defaultdict(dict)
        self._from: Counter[str] = Counter()  # how many from each network

    async def start(self) -> None:
        """Start the watch. Every event published after the return wakes its order's sockets.

        Raises one of AWAY if the database or the log is unavailable.
        """
        await self._watch.start()

    def close(self) -> None:
        """Stop watching. The sockets stay and are woken no more."""
        self._watch.close()

    def join(self, order_id: UUID, wake: Callable[[], None], loop: AbstractEventLoop, *, network: str = "") -> None:
        """Call `wake` on `loop` whenever the order may have changed.

        Raises `TooManySockets` if the order or the network has the maximum of sockets.
        """
        with self._lock:
            here = len(self._sockets.get(order_id, ()))
            if here >= SOCKETS_PER_ORDER_MAX or self._from[network] >= SOCKETS_PER_NETWORK_MAX:
                raise TooManySockets
            self._sockets[order_id][wake] = loop, network
            self._from[network] += 1

    def leave(self, order_id: UUID, wake: Callable[[], None]) -> None:
        """Stop waking this socket. Does nothing if it never joined."""
        with self._lock:
            sockets = self._sockets.get(order_id, {})
            if known := sockets.pop(wake, None):
                self._from -= Counter([known[1]])  # drops a count of zero
            if not sockets:
                self._sockets.pop(order_id, None)

    def _tell(self, events: list[Any]) -> None:
        """Wake the sockets of a batch of events, in the watch's thread."""
        self._wake({event.order_id for event in events})

    def _wake_all(self) -> None:
        """Wake every socket: an event may have been missed."""
        with self._lock:
            everybody = set(self._sockets)
        self._wake(everybody)

    def _wake(self, order_ids: Iterable[UUID]) -> None:
        by_loop: dict[AbstractEventLoop, list[Callable[[], None]]] = defaultdict(list)
        with self._lock:
            for order_id in order_ids:
                for wake, (loop, _network) in self._sockets.get(order_id, {}).items():
                    by_loop[loop].append(wake)
        for loop, wakers in by_loop.items():
            # A task on the server's own loop: going through async_to_sync would wait for its next tick.
            with suppress(RuntimeError):  # the server has stopped and closed its loop
                loop.call_soon_threadsafe(_call_all, wakers)


def _call_all(wakers: list[Callable[[], None]]) -> None:
    for wake in wakers:
        wake()


live_orders = LiveOrders()
