"""Whoever leaves an order's socket, in whatever way, gives back the place that it had among the order's few."""

import asyncio
from itertools import count
from typing import Any, NoReturn

import pytest

from eventbus import backends
from eventbus.errors import LogUnavailable
from mcommerce.orders import consumers
from mcommerce.orders.models import Order
from mcommerce.orders.open_sockets import SOCKETS_PER_ORDER_MAX, live_orders
from tests.mcommerce.orders.conftest import Shopper
from tests.mcommerce.orders.socket_clients import ANSWER_SECONDS, closing_code, hear, run, socket_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_watch_left")]

CODES = range(3_000, 5_000)  # of the others, Daphne's protocol refuses to say all but 1000: the socket would stay open


def test_who_meets_a_log_that_is_away_is_forgotten(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: Any) -> NoReturn:
        raise LogUnavailable("the brokers do not answer")

    async def story() -> None:
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(backends.current(), "end", away)
            for _try in range(SOCKETS_PER_ORDER_MAX):
                async with socket_of(listener, waiting.id) as socket:
                    assert await closing_code(socket) == consumers.TRY_AGAIN
        assert live_orders._sockets == {}

        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert await hear(socket) == waiting.version

    run(story)


def test_who_is_given_up_by_the_server_before_the_first_word_is_forgotten(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        looked_again = asyncio.Event()
        looks = count(1)

        async def look_for_ever(self: consumers.OrderConsumer) -> int:
            if next(looks) > 1:
                looked_again.set()
                await asyncio.Event().wait()
            return waiting.version

        monkeypatch.setattr(consumers.OrderConsumer, "_version", look_for_ever)
        with pytest.raises(asyncio.CancelledError):
            async with socket_of(listener, waiting.id) as socket:
                await socket.connect(timeout=ANSWER_SECONDS)
                await asyncio.wait_for(looked_again.wait(), ANSWER_SECONDS)
                socket.stop()  # as Daphne does, ten seconds after its browser left
                await asyncio.wait([socket.future])

    run(story)

    assert live_orders._sockets == {}


def test_a_socket_that_breaks_says_so_by_a_code_that_every_server_can_say(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: consumers.OrderConsumer, version: int | None) -> None:
        raise ValueError("broken")

    async def story() -> None:
        monkeypatch.setattr(consumers.OrderConsumer, "_tell_versions", broken)
        async with socket_of(listener, waiting.id) as socket:
            assert await closing_code(socket) in CODES

    run(story)
