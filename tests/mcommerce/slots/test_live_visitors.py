"""Fragments come anew on the page's socket for who may see the page, as that visitor sees it."""

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session

from mcommerce.orders import consumers
from mcommerce.orders.models import Order
from tests.mcommerce.orders.conftest import Shopper, fresh
from tests.mcommerce.orders.socket_clients import ANSWER_SECONDS, happens, run, socket_of
from tests.mcommerce.slots.heard_fragments import POINTS, fragments
from tests.mcommerce.slots.points.services import grant_points

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_watch_left", "no_fragments_watched", "points_app"),
]


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

    came: list[str] = []

    async def story() -> None:
        async with socket_of(listener, waiting.id) as socket:
            await socket.connect(timeout=ANSWER_SECONDS)
            came.append((await fragments(socket))[POINTS])

    run(story)
    token = came[0].partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    sent = strict.browser.post(f"/orders/{waiting.id}/cancel/", {"csrfmiddlewaretoken": token})
    assert sent.status_code == 302
    assert fresh(waiting).state == Order.State.CANCELLED


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
