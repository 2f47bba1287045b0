"""The first browser that looks at an order has the process listen. With the brokers away that takes long."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator

from eventbus import backends
from eventbus.backends.base import TopicPartition
from eventbus.errors import LogUnavailable
from mcommerce.orders import consumers
from mcommerce.orders.models import Order
from mcommerce.orders.open_sockets import live_orders
from tests.mcommerce.orders.conftest import Shopper
from tests.mcommerce.orders.socket_clients import ANSWER_SECONDS, hear, run, socket_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_watch_left")]


class SlowLog:
    """Says where the log ends once it is told to, or that it is away."""

    def __init__(self) -> None:
        self.asked, self.away = 0, False
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._end = backends.current().end

    def end(self, partition: TopicPartition) -> int:
        self.asked += 1
        self.begun.set()
        assert self.go_on.wait(ANSWER_SECONDS)
        if self.away:
            raise LogUnavailable("the brokers do not answer")
        return self._end(partition)


@pytest.fixture
def log(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowLog]:
    slow = SlowLog()
    monkeypatch.setattr(backends.current(), "end", slow.end)
    yield slow
    slow.go_on.set()


async def two_waiting(
    stack: AsyncExitStack, shopper: Shopper, order: Order, log: SlowLog
) -> list[WebsocketCommunicator]:
    """Two browsers that were let in, and wait until the process listens."""
    sockets = [await stack.enter_async_context(socket_of(shopper, order.id)) for _browser in range(2)]
    for number, socket in enumerate(sockets, start=1):
        await waits(socket, order, number)
    async with asyncio.timeout(ANSWER_SECONDS):
        while not log.begun.is_set():
            await asyncio.sleep(0)
    return sockets


async def waits(socket: WebsocketCommunicator, order: Order, number: int) -> None:
    """It comes, and is the so many-th that waits."""
    assert (await socket.connect(timeout=ANSWER_SECONDS))[0]
    async with asyncio.timeout(ANSWER_SECONDS):
        while len(live_orders._sockets[order.id]) < number:
            await asyncio.sleep(0)


def test_whatever_else_the_sockets_ask_the_database_is_answered_meanwhile(
    listener: Shopper, waiting: Order, log: SlowLog
) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            sockets = await two_waiting(stack, listener, waiting, log)

            async with asyncio.timeout(ANSWER_SECONDS):
                assert await database_sync_to_async(Order.objects.count)() == 1

            log.go_on.set()
            assert [await hear(socket) for socket in sockets] == [waiting.version] * 2

    run(story)


def test_all_who_wait_are_told_to_come_again_after_one_attempt(listener: Shopper, waiting: Order, log: SlowLog) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            sockets = await two_waiting(stack, listener, waiting, log)

            log.away = True
            log.go_on.set()

            for socket in sockets:
                assert (await socket.receive_output(timeout=ANSWER_SECONDS))["code"] == consumers.TRY_AGAIN
        assert log.asked == 1

        log.away = False
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert await hear(socket) == waiting.version

    run(story)


def test_who_leaves_before_it_has_begun_does_not_end_it_for_the_others(
    listener: Shopper, waiting: Order, log: SlowLog
) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            sockets = await two_waiting(stack, listener, waiting, log)
            with pytest.raises(asyncio.CancelledError):
                async with socket_of(listener, waiting.id) as leaving:
                    await waits(leaving, waiting, 3)
                    leaving.stop()  # as Daphne does, ten seconds after its browser left
                    await asyncio.wait([leaving.future])

            log.go_on.set()

            assert [await hear(socket) for socket in sockets] == [waiting.version] * 2

    run(story)


def test_a_process_that_ends_does_not_wait_for_brokers_that_are_away(
    listener: Shopper, waiting: Order, log: SlowLog
) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            sockets = await two_waiting(stack, listener, waiting, log)
            asking = [thread.daemon for thread in threading.enumerate() if thread.name == "orders-watch"]

            log.go_on.set()

            assert [await hear(socket) for socket in sockets] == [waiting.version] * 2
        assert asking == [True]

    run(story)
