"""A page shows the fragments of other apps, and stays as it is without them, or when one of them fails."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mcommerce.orders.models import Order
from mcommerce.web.slots import registry
from tests.mcommerce.orders.conftest import Shopper
from tests.mcommerce.products.conftest import put_on_shelf
from tests.mcommerce.slots.points.services import grant_points
from tests.stations.socket_client import key, polled, state

pytestmark = pytest.mark.django_db

PLACES = ("product", "order", "station", "account", "desk", "decision")
SAYS = {
    "product": "19 points for",
    "order": '<b id="points">19</b>',
    "station": "simulator lyon-7 praised 0 times",
    "account": "points of",
    "desk": "points at the desk of",
    "decision": "points at the desk of",
}


@pytest.fixture
def pages(waiting: Order, listener: Shopper) -> dict[str, tuple[Client, str]]:
    """A page with each place, and a browser that may see it. The order has 19 points."""
    grant_points(order_id=waiting.id)
    polled({key(7): state()})
    staff = Client()
    staff.force_login(get_user_model().objects.create_superuser(email="desk@example.com"))
    product = put_on_shelf(pieces=3)
    return {
        "product": (Client(), reverse("products:detail", args=[product.slug])),
        "order": (listener.browser, reverse("orders:order", args=[waiting.id])),
        "station": (Client(), reverse("stations:station", args=["simulator", "lyon-7"])),
        "account": (staff, reverse("accounts:account")),
        "desk": (staff, reverse("admin:orders_order_change", args=[waiting.id])),
        "decision": (staff, reverse("admin:orders_order_decide", args=[waiting.id, "cancel"])),
    }


def read(page: tuple[Client, str], language: str = "en") -> str:
    browser, address = page
    answer = browser.get(address, headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("place", PLACES)
def test_a_page_shows_the_fragment_of_an_app(place: str, pages: dict[str, Any], points_app: None) -> None:
    assert SAYS[place] in read(pages[place])


@pytest.mark.parametrize("place", PLACES)
def test_without_the_app_there_is_no_trace_of_it(place: str, pages: dict[str, Any]) -> None:
    page = read(pages[place])

    assert [word for word in ("points", "slot", "data-fragment") if word in page] == []


def test_a_fragment_with_nothing_to_show_keeps_its_place_for_later(
    waiting: Order, listener: Shopper, points_app: None
) -> None:
    page = listener.look_at(waiting).content.decode()

    assert "Points" not in page
    box = page.partition('data-fragment="points.order_points"')[2].partition("</div>")[0]
    assert 'aria-live="polite"' in box and box.endswith(">"), "an empty box, into which it comes"


def test_who_may_not_see_the_order_gets_no_fragment(
    waiting: Order, pages: dict[str, Any], points_app: None, registered: Callable[..., None]
) -> None:
    asked: list[UUID] = []
    registered(registry.Fragment("order", "points.spy", lambda order_id, _request: asked.append(order_id), "x.html"))

    stranger = Shopper().look_at(waiting)

    assert (stranger.status_code, asked) == (404, [])
    assert "points" not in stranger.content.decode()


def test_it_speaks_the_visitors_language(pages: dict[str, Any], points_app: None) -> None:
    assert 'data-language="fr"' in read(pages["order"], "fr")
    assert "1,90\N{NO-BREAK SPACE}€" in read(pages["order"], "fr").replace("&nbsp;", "\N{NO-BREAK SPACE}")
    assert "€1.90" in read(pages["order"], "en")


# --- failures ------------------------------------------------------------------------------------------------------


def failing(_order_id: UUID, _request: HttpRequest) -> dict[str, object]:
    raise ValueError("out of points")


def test_a_fragment_that_fails_leaves_its_place_empty_and_a_line_in_the_log(
    pages: dict[str, Any], points_app: None, registered: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    registered(registry.Fragment("order", "points.failing", failing, "points/note.html"))

    page = read(pages["order"])

    assert SAYS["order"] in page, "the others are there"
    assert "The fragment points.failing failed" in caplog.text
    assert "ValueError: out of points" in caplog.text
    assert "points.failing" not in page


def test_a_database_error_in_a_fragment_does_not_reach_the_pages_transaction(
    waiting: Order, points_app: None, registered: Callable[..., None], rf: RequestFactory
) -> None:
    registered(registry.Fragment("order", "points.broken", broken, "points/note.html"))

    with transaction.atomic():
        page = Template('{% load slots %}{% slot "order" order_id %}')
        page.render(Context({"order_id": waiting.id, "request": rf.get("/")}))
        assert Order.objects.filter(id=waiting.id).exists(), "the page goes on"


def broken(_order_id: UUID, _request: HttpRequest) -> dict[str, object]:
    """Breaks the transaction that it is in, as an error of PostgreSQL does on its own."""
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    raise DatabaseError("not reached")


# --- queries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.django_db(transaction=True)
def test_a_page_makes_its_own_queries_and_those_that_fragments_declare(
    place: str, pages: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    read(pages[place])  # what is remembered for the next page
    own = queries_of(pages[place])

    request.getfixturevalue("points_app")

    declared = sum(one.queries for one in registry.fragments_of("desk" if place == "decision" else place))
    assert queries_of(pages[place]) == own + declared


def queries_of(page: tuple[Client, str]) -> int:
    with CaptureQueriesContext(connection) as captured:
        read(page)
    return len(captured)
