"""Fragments come anew on the page's socket: to who may see the page, in their language, and not too often."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.http import HttpRequest

from mcommerce.orders import consumers
from mcommerce.orders.models import Order
from mcommerce.web.slots import registry
from mcommerce.web.slots.live import open_pages
from tests.mcommerce.orders.conftest import Shopper, fresh
from tests.mcommerce.orders.socket_clients import ANSWER_SECONDS, closing_code, happens, run, socket_of
from tests.mcommerce.slots.points.events import PointsGranted
from tests.mcommerce.slots.points.services import change_rules, grant_points

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_watch_left", "no_fragments_watched", "points_app"),
]

POINTS, RULES = "points.order_points", "points.order_rules"
QUIET_SECONDS = 0.5  # some times the pauses in which a socket collects changes
MANY = 60


async def fragments(socket: WebsocketCommunicator) -> dict[str, str]:
    """The HTML of the fragments that come next, by name."""
    while True:
        word = await socket.receive_json_from(timeout=ANSWER_SECONDS)
        if "fragments" in word:
            return {name: one["html"] for name, one in word["fragments"].items()}


def test_a_change_comes_as_the_fragment_drawn_anew(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert await fragments(socket) == {POINTS: "", RULES: ""}, "as they are now"

            await happens(grant_points, order_id=waiting.id)

            came = await fragments(socket)
            assert list(came) == [POINTS]
            assert '<b id="points">19</b>' in came[POINTS]

    run(story)


def test_the_page_and_the_socket_draw_the_same(listener: Shopper, waiting: Order) -> None:
    change_rules(rules="ten cents a point")
    page = listener.look_at(waiting).content.decode()

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            word = await socket.receive_json_from(timeout=ANSWER_SECONDS)
            while "fragments" not in word:
                word = await socket.receive_json_from(timeout=ANSWER_SECONDS)
            assert f'data-digest="{word["fragments"][RULES]["digest"]}"' in page
            assert word["fragments"][RULES]["html"] in page

    run(story)


def test_who_comes_back_gets_what_was_missed(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        for points in (5, 10):
            async with socket_of(listener, waiting.id) as socket:
                await socket.connect(timeout=ANSWER_SECONDS)
                before = (await fragments(socket))[POINTS]
            await happens(grant_points, order_id=waiting.id, points=5)
            async with socket_of(listener, waiting.id) as socket:
                await socket.connect(timeout=ANSWER_SECONDS)
                after = (await fragments(socket))[POINTS]
            assert f'<b id="points">{points}</b>' in after
            assert f'<b id="points">{points}</b>' not in before

    run(story)


def test_an_event_of_another_order_sends_nothing(
    listener: Shopper, waiting: Order, placed: Callable[..., Order]
) -> None:
    other = placed()

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)

            await happens(grant_points, order_id=other.id)

            assert await socket.receive_nothing(timeout=QUIET_SECONDS)

    run(story)


def test_an_event_that_names_no_order_concerns_those_that_match(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)

            await happens(change_rules, rules="ten cents a point")

            assert await fragments(socket) == {RULES: '<p id="rules">ten cents a point</p>'}

    run(story)


def test_an_event_that_changes_nothing_to_see_sends_nothing(listener: Shopper, waiting: Order) -> None:
    change_rules(rules="ten cents a point")

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)

            await happens(change_rules, rules="ten cents a point")

            assert await socket.receive_nothing(timeout=QUIET_SECONDS)

    run(story)


def test_many_changes_at_once_are_few_drawings(
    listener: Shopper, waiting: Order, registered: Callable[..., None]
) -> None:
    drawn: list[int] = []

    def count(_order_id: UUID, _request: HttpRequest) -> dict[str, object]:
        drawn.append(len(drawn))
        return {"said": len(drawn)}

    registered(registry.Fragment("order", "points.count", count, "points/note.html", updates_on=(PointsGranted,)))

    def a_lot() -> None:
        for _time in range(MANY):
            grant_points(order_id=waiting.id)

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)

            await happens(a_lot)

            while f'<b id="points">{19 * MANY}</b>' not in (await fragments(socket)).get(POINTS, ""):
                pass
            assert await socket.receive_nothing(timeout=QUIET_SECONDS)

    run(story)
    assert len(drawn) <= MANY / 3


def test_it_speaks_the_visitors_language_on_the_socket(listener: Shopper, waiting: Order) -> None:
    grant_points(order_id=waiting.id)
    listener.browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "fr"

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            came = (await fragments(socket))[POINTS]
            assert 'data-language="fr"' in came
            assert "1,90" in came

    run(story)


def test_a_form_that_comes_on_the_socket_can_be_sent(listener: Shopper, waiting: Order) -> None:
    grant_points(order_id=waiting.id)
    listener.look_at(waiting)
    strict = Shopper(enforce_csrf_checks=True)
    strict.browser.cookies = listener.browser.cookies

    async def form() -> str:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            return (await fragments(socket))[POINTS]

    came: list[str] = []

    async def story() -> None:
        came.append(await form())

    run(story)
    token = came[0].partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    sent = strict.browser.post(f"/orders/{waiting.id}/cancel/", {"csrfmiddlewaretoken": token})
    assert sent.status_code == 302
    assert fresh(waiting).state == Order.State.CANCELLED


def test_a_fragment_that_fails_leaves_its_place_empty_and_the_others_come(
    listener: Shopper, waiting: Order, registered: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(_order_id: UUID, _request: HttpRequest) -> dict[str, object]:
        raise ValueError("out of points")

    registered(registry.Fragment("order", "points.failing", failing, "x.html", updates_on=(PointsGranted,)))

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert (await fragments(socket))["points.failing"] == ""

            await happens(grant_points, order_id=waiting.id)

            assert list(await fragments(socket)) == [POINTS]

    run(story)
    assert "The fragment points.failing failed" in capsys.readouterr().err


def test_a_stranger_gets_no_fragment(waiting: Order) -> None:
    grant_points(order_id=waiting.id)

    async def story() -> None:
        async with socket_of(Shopper(), waiting.id) as socket:
            assert await closing_code(socket) == consumers.NOT_FOUND
        assert open_pages._pages == {}

    run(story)


def test_who_has_signed_out_gets_no_further_fragment(waiting: Order) -> None:
    ada = get_user_model().objects.create_user(email="ada@example.com")
    Order.objects.filter(id=waiting.id).update(customer_id=ada.id)
    shopper = Shopper()
    shopper.browser.force_login(ada)

    async def story() -> None:
        async with socket_of(shopper, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)
            await database_sync_to_async(Session.objects.all().delete)()

            await happens(grant_points, order_id=waiting.id)

            assert (await socket.receive_output(timeout=ANSWER_SECONDS))["code"] == consumers.NOT_FOUND

    run(story)


def test_the_visitor_of_the_socket_is_the_one_of_the_page(waiting: Order, registered: Callable[..., None]) -> None:
    ada = get_user_model().objects.create_user(email="ada@example.com")
    Order.objects.filter(id=waiting.id).update(customer_id=ada.id)
    shopper = Shopper()
    shopper.browser.force_login(ada)

    def who(_order_id: UUID, request: HttpRequest) -> dict[str, Any]:
        return {"said": request.user.email}

    registered(registry.Fragment("order", "points.who", who, "points/note.html", updates_on=(PointsGranted,)))

    async def story() -> None:
        async with socket_of(shopper, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            assert "ada@example.com" in (await fragments(socket))["points.who"]

    run(story)


def test_whoever_left_is_forgotten(listener: Shopper, waiting: Order) -> None:
    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            await fragments(socket)

    run(story)

    assert open_pages._pages == {}
