"""The socket of an order's page: who may listen, that nobody misses a change, and that who leaves makes room."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial, wraps
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection
from uvicorn.protocols.utils import ClientDisconnected

from eventbus import backends
from eventbus.backends.base import TopicPartition
from eventbus.errors import LogUnavailable
from mcommerce.orders import consumers
from mcommerce.orders.limits import ORDER_SOCKETS_PER_NETWORK
from mcommerce.orders.models import Order
from mcommerce.orders.open_sockets import SOCKETS_PER_NETWORK_MAX, SOCKETS_PER_ORDER_MAX, LiveOrders, live_orders
from mcommerce.orders.services import lifecycle
from tests.mcommerce.orders.conftest import LATER, Shopper, fresh, pay
from tests.mcommerce.orders.socket_clients import ANSWER_SECONDS, closing_code, happens, hear, run, socket_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_watch_left")]

QUIET_SECONDS = 0.3  # three times the pause in which a socket collects changes
CODES = range(3_000, 5_000)  # of the others, Daphne's protocol refuses to say all but 1000: the socket would stay open


def in_a_loop(story: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that awaits."""

    @wraps(story)
    def test(**given: Any) -> None:
        run(partial(story, **given))

    return test


@asynccontextmanager
async def listening(shopper: Shopper, order: Order, **how: Any) -> AsyncIterator[WebsocketCommunicator]:
    """A socket that has said the first word: the order's version."""
    async with socket_of(shopper, order.id, **how) as socket:
        await socket.connect(timeout=ANSWER_SECONDS)
        assert await hear(socket) == (await database_sync_to_async(fresh)(order)).version
        yield socket


async def cancel(order: Order) -> None:
    await happens(lifecycle.cancel_by_customer, order_id=order.id, now=LATER)


# --- what is said ----------------------------------------------------------------------------------------------------


@in_a_loop
async def test_it_says_the_version_first_and_each_newer_one(listener: Shopper, waiting: Order) -> None:
    async with listening(listener, waiting) as socket:
        await cancel(waiting)

        assert await hear(socket, after=waiting.version) > waiting.version


@in_a_loop
async def test_a_browser_that_leaves_before_its_frame_is_no_fault_of_ours(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = asyncio.Event()

    async def gone(self: consumers.OrderConsumer, *_arguments: Any, **_named: Any) -> None:
        missed.set()
        raise ClientDisconnected  # as uvicorn says it

    async with listening(listener, waiting):
        monkeypatch.setattr(consumers.OrderConsumer, "send", gone)
        await cancel(waiting)
        await asyncio.wait_for(missed.wait(), ANSWER_SECONDS)

    assert "ERROR" not in capsys.readouterr().err  # setting the site up set up its log too: caplog hears nothing


def test_a_change_between_the_page_and_the_socket_is_not_missed(listener: Shopper, waiting: Order) -> None:
    pay(waiting)

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert await hear(socket) > waiting.version

    run(story)


@in_a_loop
async def test_several_changes_at_once_are_one_word(listener: Shopper, waiting: Order) -> None:
    def a_lot() -> None:
        for _time in range(5):
            lifecycle.note_decline(order_id=waiting.id, payment_id=uuid4(), code="", retryable=True, now=LATER)

    async with listening(listener, waiting) as socket:
        await happens(a_lot)

        assert await hear(socket, after=waiting.version) == waiting.version + 5
        assert await socket.receive_nothing(timeout=QUIET_SECONDS)


@in_a_loop
async def test_an_order_at_rest_costs_no_query_and_another_ones_change_wakes_nobody(
    listener: Shopper, waiting: Order, placed: Callable[..., Order]
) -> None:
    def counted() -> int:
        connection.force_debug_cursor = True
        return len(connection.queries_log)

    other = await database_sync_to_async(placed)()
    async with listening(listener, waiting) as socket:
        await cancel(waiting)
        await hear(socket, after=waiting.version)  # so that none of its earlier events is still on its way
        await cancel(other)
        before = await database_sync_to_async(counted)()
        assert await socket.receive_nothing(timeout=QUIET_SECONDS)
        assert await database_sync_to_async(counted)() == before


@in_a_loop
async def test_silence_is_broken_so_that_a_dead_line_is_told_from_a_quiet_one(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "HEARTBEAT_SECONDS", QUIET_SECONDS)

    async with listening(listener, waiting) as socket:
        for _heartbeat in range(3):
            word = await socket.receive_json_from(timeout=ANSWER_SECONDS)
            assert word == {"version": waiting.version, "heartbeat_s": QUIET_SECONDS}

        await cancel(waiting)

        assert await hear(socket, after=waiting.version) > waiting.version


# --- who may listen --------------------------------------------------------------------------------------------------


def test_the_account_and_staff_who_may_see_it_may_listen_and_for_others_there_is_no_order(waiting: Order) -> None:
    people = {name: Shopper() for name in ("staff", "idle staff", "ada", "bob", "guest")}
    for name, shopper in people.items():
        if name != "guest":
            user = get_user_model().objects.create_user(email=f"{name[0]}@example.com", is_staff="staff" in name)
            shopper.browser.force_login(user)
        if name == "staff":
            user.user_permissions.add(Permission.objects.get(codename="view_order"))
        if name == "ada":
            Order.objects.filter(id=waiting.id).update(customer_id=user.id)

    async def story() -> None:
        for name in ("staff", "ada"):
            async with listening(people[name], waiting):
                pass
        for name, order_id in (
            ("bob", waiting.id),
            ("idle staff", waiting.id),
            ("guest", waiting.id),
            ("ada", uuid4()),
        ):
            async with socket_of(people[name], order_id) as socket:
                assert await closing_code(socket) == consumers.NOT_FOUND

    run(story)
    assert live_orders._sockets == {}, "whoever left is forgotten"


def test_who_has_signed_out_hears_no_more(waiting: Order) -> None:
    ada, shopper = get_user_model().objects.create_user(email="ada@example.com"), Shopper()
    Order.objects.filter(id=waiting.id).update(customer_id=ada.id)
    shopper.browser.force_login(ada)

    async def story() -> None:
        async with listening(shopper, waiting) as socket:
            await database_sync_to_async(Session.objects.all().delete)()

            await cancel(waiting)

            assert (await socket.receive_output(timeout=ANSWER_SECONDS))["code"] == consumers.NOT_FOUND

    run(story)


@in_a_loop
async def test_who_tries_out_orders_is_told_to_wait(waiting: Order, listener: Shopper) -> None:
    for number in range(ORDER_SOCKETS_PER_NETWORK.at_most):
        async with socket_of(Shopper(), uuid4(), client=f"2001:db8::{number:x}") as socket:
            assert await closing_code(socket) == consumers.NOT_FOUND
    async with socket_of(listener, waiting.id, client="2001:db8::ffff") as socket:
        assert await closing_code(socket) == consumers.TOO_MANY
    async with listening(listener, waiting, client="2001:db8:0:1::1"):
        pass


@in_a_loop
async def test_another_sites_page_gets_no_socket(listener: Shopper, waiting: Order) -> None:
    async with socket_of(listener, waiting.id, origin="https://evil.example") as socket:
        assert (await socket.connect(timeout=ANSWER_SECONDS))[0] is False


@in_a_loop
async def test_who_talks_to_it_is_closed(listener: Shopper, waiting: Order) -> None:
    async with listening(listener, waiting) as socket:
        await socket.send_to(text_data="hello")
        assert (await socket.receive_output(timeout=ANSWER_SECONDS))["code"] == consumers.NOTHING_TO_SAY


@pytest.mark.parametrize("of", ["order", "network"])
def test_so_many_may_listen_and_who_leaves_makes_room(of: str) -> None:
    orders, one = LiveOrders(), uuid4()

    async def story() -> None:
        def join(network: str = "203.0.113.9") -> tuple[UUID, Callable[[], None]]:
            order_id, wake = one if of == "order" else uuid4(), asyncio.Event().set
            if of == "order":
                orders.join(order_id, wake, asyncio.get_running_loop())
            else:
                orders.join(order_id, wake, asyncio.get_running_loop(), network=network)
            return order_id, wake

        joined = [join() for _socket in range(SOCKETS_PER_ORDER_MAX if of == "order" else SOCKETS_PER_NETWORK_MAX)]
        with pytest.raises(consumers.TooManySockets):
            join()
        if of == "network":
            join("203.0.113.10")

        orders.leave(*joined[0])

        join()

    asyncio.run(story())


# --- a log that is slow or away, and browsers that leave meanwhile ---------------------------------------------------


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


@asynccontextmanager
async def two_waiting(shopper: Shopper, order: Order, log: SlowLog) -> AsyncIterator[list[WebsocketCommunicator]]:
    """Two browsers that were let in, and wait until the process listens."""
    async with AsyncExitStack() as stack, asyncio.timeout(ANSWER_SECONDS):
        sockets = [await stack.enter_async_context(socket_of(shopper, order.id)) for _browser in range(2)]
        for number, socket in enumerate(sockets, start=1):
            await waits(socket, order, number)
        while not log.begun.is_set():
            await asyncio.sleep(0)
        yield sockets


async def waits(socket: WebsocketCommunicator, order: Order, number: int) -> None:
    """It comes, and is the so many-th that waits."""
    assert (await socket.connect(timeout=ANSWER_SECONDS))[0]
    while len(live_orders._sockets[order.id]) < number:
        await asyncio.sleep(0)


async def is_given_up(socket: WebsocketCommunicator) -> None:
    """As Daphne does it, ten seconds after its browser left."""
    socket.stop()
    await asyncio.wait([socket.future])


@in_a_loop
async def test_who_leaves_before_it_has_begun_ends_it_for_nobody_and_the_database_answers_meanwhile(
    listener: Shopper, waiting: Order, log: SlowLog
) -> None:
    async with two_waiting(listener, waiting, log) as sockets:
        assert await database_sync_to_async(Order.objects.count)() == 1
        asking = [thread.daemon for thread in threading.enumerate() if thread.name == "orders-watch"]
        with pytest.raises(asyncio.CancelledError):
            async with socket_of(listener, waiting.id) as leaving:
                await waits(leaving, waiting, 3)
                await is_given_up(leaving)

        log.go_on.set()

        assert [await hear(socket) for socket in sockets] == [waiting.version] * 2
    assert asking == [True], "a process that ends does not wait for the brokers"


@in_a_loop
async def test_all_who_wait_are_told_to_come_again_after_one_attempt(
    listener: Shopper, waiting: Order, log: SlowLog
) -> None:
    async with two_waiting(listener, waiting, log) as sockets:
        log.away = True
        log.go_on.set()

        for socket in sockets:
            assert (await socket.receive_output(timeout=ANSWER_SECONDS))["code"] == consumers.TRY_AGAIN
    assert log.asked == 1
    assert live_orders._sockets == {}, "they are forgotten"

    log.away = False
    async with listening(listener, waiting):
        pass


def test_who_is_given_up_by_the_server_before_the_first_word_is_forgotten(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        looked_again, looks = asyncio.Event(), count(1)

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
                await is_given_up(socket)

    run(story)

    assert live_orders._sockets == {}


@in_a_loop
async def test_a_socket_that_breaks_says_so_by_a_code_that_every_server_can_say(
    listener: Shopper, waiting: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: consumers.OrderConsumer, version: int | None) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(consumers.OrderConsumer, "_tell_versions", broken)
    async with socket_of(listener, waiting.id) as socket:
        assert await closing_code(socket) in CODES
