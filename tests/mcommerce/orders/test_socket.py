"""The socket of an order's page: who may listen, and that nobody misses a change."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection
from uvicorn.protocols.utils import ClientDisconnected

from mcommerce.orders import consumers
from mcommerce.orders.limits import ORDER_SOCKETS_PER_NETWORK
from mcommerce.orders.models import Order
from mcommerce.orders.open_sockets import SOCKETS_PER_NETWORK_MAX, SOCKETS_PER_ORDER_MAX, LiveOrders, live_orders
from mcommerce.orders.services import lifecycle
from tests.mcommerce.orders.conftest import LATER, Shopper, fresh, pay
from tests.mcommerce.orders.socket_clients import ANSWER_SECONDS, closing_code, happens, hear, run, socket_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_watch_left")]

QUIET_SECONDS = 0.3  # three times the pause in which a socket collects changes


def test_it_says_the_version_first_and_each_newer_one(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert await hear(socket) == waiting.version

            await happens(lifecycle.cancel_by_customer, order_id=waiting.id, now=LATER)

            assert await hear(socket, after=waiting.version) > waiting.version

    run(story)


def test_a_browser_that_leaves_before_its_frame_is_no_fault_of_ours(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> None:
        missed = asyncio.Event()

        async def gone(self: consumers.OrderConsumer, *_arguments: Any, **_named: Any) -> None:
            missed.set()
            raise ClientDisconnected  # as uvicorn says it

        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await hear(socket)
            monkeypatch.setattr(consumers.OrderConsumer, "send", gone)
            await happens(lifecycle.cancel_by_customer, order_id=waiting.id, now=LATER)
            await asyncio.wait_for(missed.wait(), ANSWER_SECONDS)

    run(story)

    assert "ERROR" not in capsys.readouterr().err  # setting the site up set up its log too: caplog hears nothing


def test_a_change_between_the_page_and_the_socket_is_not_missed(listener: Shopper, waiting: Order) -> None:
    rendered = waiting.version
    pay(waiting)

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert await hear(socket) > rendered

    run(story)


def test_several_changes_at_once_are_one_word(listener: Shopper, waiting: Order) -> None:
    def a_lot() -> None:
        for _time in range(5):
            lifecycle.note_decline(order_id=waiting.id, payment_id=uuid4(), code="", retryable=True, now=LATER)

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await hear(socket)

            await happens(a_lot)

            assert await hear(socket, after=waiting.version) == waiting.version + 5
            assert await socket.receive_nothing(timeout=QUIET_SECONDS)

    run(story)


def test_an_order_at_rest_costs_no_query(listener: Shopper, waiting: Order) -> None:
    def counted() -> int:
        connection.force_debug_cursor = True
        return len(connection.queries_log)

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await hear(socket)
            await happens(lifecycle.cancel_by_customer, order_id=waiting.id, now=LATER)
            await hear(socket)

            before = await database_sync_to_async(counted)()
            assert await socket.receive_nothing(timeout=QUIET_SECONDS)
            assert await database_sync_to_async(counted)() == before

    run(story)


def test_silence_is_broken_so_that_a_dead_line_is_told_from_a_quiet_one(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "HEARTBEAT_SECONDS", QUIET_SECONDS)

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            for _heartbeat in range(3):
                word = await socket.receive_json_from(timeout=ANSWER_SECONDS)
                assert word == {"version": waiting.version, "heartbeat_s": QUIET_SECONDS}

            await happens(lifecycle.cancel_by_customer, order_id=waiting.id, now=LATER)

            assert await hear(socket, after=waiting.version) > waiting.version

    run(story)


def test_the_change_of_another_order_wakes_nobody(
    listener: Shopper, waiting: Order, placed: Callable[..., Order]
) -> None:
    other = placed()

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await hear(socket)

            await happens(lifecycle.cancel_by_customer, order_id=other.id, now=LATER)

            assert await socket.receive_nothing(timeout=QUIET_SECONDS)

    run(story)


def test_a_stranger_is_closed_as_if_there_were_no_order(waiting: Order) -> None:
    stranger = Shopper()

    async def story() -> None:
        for order_id in (waiting.id, uuid4()):
            async with socket_of(stranger, order_id) as socket:
                assert await closing_code(socket) == consumers.NOT_FOUND

    run(story)


def test_the_account_and_staff_who_may_see_it_may_listen(waiting: Order) -> None:
    staff, idle, ada, bob = (Shopper() for _person in range(4))
    for shopper, fields in ((staff, {"is_staff": True}), (idle, {"is_staff": True}), (ada, {}), (bob, {})):
        user = get_user_model().objects.create_user(email=f"{id(shopper)}@example.com", **fields)
        shopper.browser.force_login(user)
        if shopper is staff:
            user.user_permissions.add(Permission.objects.get(codename="view_order"))
        if shopper is ada:
            Order.objects.filter(id=waiting.id).update(customer_id=user.id)

    async def story() -> None:
        for shopper in (staff, ada):
            async with socket_of(shopper, waiting.id) as socket:
                await socket.connect(timeout=ANSWER_SECONDS)
                assert await hear(socket) == fresh_version
        for shopper in (bob, idle):
            async with socket_of(shopper, waiting.id) as socket:
                assert await closing_code(socket) == consumers.NOT_FOUND

    fresh_version = fresh(waiting).version
    run(story)


def test_who_has_signed_out_hears_no_more(waiting: Order) -> None:
    ada = get_user_model().objects.create_user(email="ada@example.com")
    Order.objects.filter(id=waiting.id).update(customer_id=ada.id)
    shopper = Shopper()
    shopper.browser.force_login(ada)

    async def story() -> None:
        async with socket_of(shopper, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await hear(socket)
            await database_sync_to_async(Session.objects.all().delete)()

            await happens(lifecycle.cancel_by_customer, order_id=waiting.id, now=LATER)

            assert (await socket.receive_output(timeout=ANSWER_SECONDS))["code"] == consumers.NOT_FOUND

    run(story)


def test_a_network_has_so_many_sockets_and_another_has_its_own(waiting: Order) -> None:
    orders = LiveOrders()

    async def story() -> None:
        loop = asyncio.get_running_loop()
        joined = [(uuid4(), asyncio.Event().set) for _socket in range(SOCKETS_PER_NETWORK_MAX)]
        for order_id, wake in joined:
            orders.join(order_id, wake, loop, network="203.0.113.9")
        with pytest.raises(consumers.TooManySockets):
            orders.join(uuid4(), asyncio.Event().set, loop, network="203.0.113.9")
        orders.join(uuid4(), asyncio.Event().set, loop, network="203.0.113.10")

        orders.leave(*joined[0])

        orders.join(uuid4(), asyncio.Event().set, loop, network="203.0.113.9")

    asyncio.run(story())


def test_who_tries_out_orders_is_told_to_wait(waiting: Order, listener: Shopper) -> None:
    async def story() -> None:
        for number in range(ORDER_SOCKETS_PER_NETWORK.at_most):
            async with socket_of(Shopper(), uuid4(), client=f"2001:db8::{number:x}") as socket:
                assert await closing_code(socket) == consumers.NOT_FOUND
        async with socket_of(listener, waiting.id, client="2001:db8::ffff") as socket:
            assert await closing_code(socket) == consumers.TOO_MANY
        async with socket_of(listener, waiting.id, client="2001:db8:0:1::1") as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert await hear(socket) == waiting.version

    run(story)


def test_another_sites_page_gets_no_socket(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id, origin="https://evil.example") as socket:
            connected, _code = await socket.connect(timeout=ANSWER_SECONDS)
            assert connected is False

    run(story)


def test_who_talks_to_it_is_closed(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await hear(socket)
            await socket.send_to(text_data="hello")
            assert (await socket.receive_output(timeout=ANSWER_SECONDS))["code"] == consumers.NOTHING_TO_SAY

    run(story)


def test_so_many_may_listen_and_who_leaves_makes_room(waiting: Order) -> None:
    orders = LiveOrders()

    async def story() -> None:
        loop = asyncio.get_running_loop()
        wakers = [asyncio.Event().set for _socket in range(SOCKETS_PER_ORDER_MAX)]
        for wake in wakers:
            orders.join(waiting.id, wake, loop)
        with pytest.raises(consumers.TooManySockets):
            orders.join(waiting.id, asyncio.Event().set, loop)

        orders.leave(waiting.id, wakers[0])

        orders.join(waiting.id, asyncio.Event().set, loop)

    asyncio.run(story())


def test_whoever_left_is_forgotten(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await hear(socket)

    run(story)

    assert live_orders._sockets == {}
