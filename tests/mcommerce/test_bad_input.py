"""Nothing that anybody sends makes the site stumble: it is refused, or it is not found, but never a 500."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client
from django.urls import reverse

from eventbus.testing import settle
from mcommerce.accounts.models import Address
from mcommerce.orders.models import Order
from mcommerce.orders.open_sockets import live_orders
from mcommerce.payment.models import Payment
from mcommerce.products.models import Product
from mcommerce.routing import build_application
from stations.live import live_updates
from tests.mcommerce.fuzz import ADMIN, TEXTS, Fuzzer, all_routes
from tests.mcommerce.orders.conftest import ANSWERS
from tests.mcommerce.products.conftest import put_on_shelf
from tests.stations.socket_client import key, polled, state

ANSWER_SECONDS = 60  # for what takes milliseconds on an idle machine
PEOPLE: dict[str, dict[str, Any] | None] = {
    "anonymous": None,
    "customer": {"email": "ada@example.com"},
    "superuser": {"email": "root@example.com", "is_staff": True, "is_superuser": True},
}


def let_in(client: Client, person: dict[str, Any] | None) -> Any:
    """Sign somebody in; who has just deleted themselves is made anew."""
    if person is None:
        return None
    users = get_user_model().objects
    user = users.filter(email=person["email"]).first() or users.create_user(**person)
    client.force_login(user)
    return user


def shop(client: Client, person: dict[str, Any] | None) -> None:
    """A product, an order of it that may be paid, an address, a station, and something left in the cart."""
    vase = put_on_shelf("Vase", pieces=50)
    polled({key(1): state(name="BELLECOUR", bikes=10)})
    settle()
    user = let_in(client, person)
    for _ in range(2):
        client.post(reverse("orders:add"), {"product_id": vase.id})
        client.post(reverse("orders:checkout"), {**ANSWERS, "token": uuid4()})
    client.post(reverse("orders:add"), {"product_id": vase.id})
    settle()
    if user is not None:
        Address.objects.create(
            user=user, recipient="Ada", street="12 rue des Fleurs", postal_code="69001", city="Lyon", country="FR"
        )


def known(route: str, name: str) -> str:
    """A value that is there, for the parameter `name` of a route."""
    if route.startswith(ADMIN) and name == "object_id":
        _, _, app, model, *_ = route.split("/")
        found = apps.get_model(app, model)._default_manager.first() if "<" not in app + model else None
        return str(found.pk) if found else "1"
    there = {
        "slug": Product.objects.values_list("slug", flat=True).first(),
        "order_id": Order.objects.values_list("id", flat=True).first(),
        "payment_id": Payment.objects.values_list("id", flat=True).first(),
        "address_id": Address.objects.values_list("id", flat=True).first(),
        "contract": "lyon",
        "number": 1,
        "feed": "simulator",
        "provider": "sandbox",
        "name": f"{uuid4()}-page.webp",
        "app_label": "orders",
    }
    return str(there.get(name) or uuid4())


def failures(person: str, routes: list[str], settings: Any, *, everything: bool) -> list[str]:
    settings.ORDER_PAYMENT_MINUTES = 24 * 60
    fuzzer = Fuzzer(known, lambda client: let_in(client, PEOPLE[person]), everything=everything)
    shop(fuzzer.client, PEOPLE[person])
    fuzzer.ask(routes)
    print(f"{fuzzer.requests} requests as {person}")
    return fuzzer.failures


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("person", "routes"),
    [
        ("customer", [route for route in all_routes() if not route.startswith(ADMIN)]),
        (
            "superuser",
            [route for route in all_routes() if route.startswith(ADMIN)][::4],
        ),  # of a few kinds, all Django's
    ],
    ids=["customer", "superuser"],
)
def test_a_bad_text_for_each_route_and_form_is_no_500(person: str, routes: list[str], settings: Any) -> None:
    assert failures(person, routes, settings, everything=False) == []


@pytest.mark.fuzz
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("person", PEOPLE)
def test_no_route_and_no_form_answers_500(person: str, settings: Any) -> None:
    routes = [route for route in all_routes() if person == "superuser" or not route.startswith(ADMIN)]

    assert failures(person, routes, settings, everything=True) == []


HEADERS = (
    "cookie",
    "accept-language",
    "x-forwarded-for",
    "x-forwarded-proto",
    "referer",
    "user-agent",
    "host",
    "origin",
)
COOKIES = ("sessionid", "csrftoken", "django_language", "messages")
ASKED = (("GET", "orders:cart"), ("POST", "orders:add"))


@pytest.mark.django_db(transaction=True)
def test_no_header_and_no_cookie_answers_500(settings: Any) -> None:
    settings.TRUST_PROXY = True
    client = Client(raise_request_exception=False)
    texts = [text.decode("latin1") for text in TEXTS.values()]
    said = [(header, text) for header in HEADERS for text in texts]
    said += [("cookie", f"{name}={text}") for name in COOKIES for text in (*texts, '"long enough\\000for a session"')]
    said += [("cookie", f'{name}="{text}"') for name in COOKIES for text in texts]

    for header, text in said:
        for method, page in ASKED:
            answer = client.generic(method, reverse(page), b"product_id=1", headers={header: text})
            assert answer.status_code < 500, (header, text[:100], method, page)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/a\0b/", "/products/a\0b/", "/stations/a\0b/1/", "/media/pictures/a\0b"])
def test_a_nul_in_an_address_is_a_bad_request(path: str, client: Client) -> None:
    answer = client.get(path.replace("\0", "%00"))

    assert answer.status_code == 400
    assert "We did not understand that" in answer.text


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["hex", "rot13", "idna", "utf-7", "unicode_escape", "latin1", ""])
def test_a_form_that_is_not_in_utf_8_is_a_bad_request(charset: str, client: Client) -> None:
    answer = client.generic(
        "POST", "/i18n/setlang/", b"--x--", content_type=f"multipart/form-data; charset={charset}; boundary=x"
    )

    assert answer.status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["utf-8", "UTF-8"])
def test_a_form_that_says_it_is_in_utf_8_is_read(charset: str, client: Client) -> None:
    sent = f"application/x-www-form-urlencoded; charset={charset}"

    assert client.generic("POST", "/i18n/setlang/", b"language=fr", content_type=sent).status_code == 302


@pytest.mark.django_db
def test_a_nul_in_a_question_is_a_bad_request(client: Client) -> None:
    assert client.get("/?q=a%00b").status_code == 400


SOCKETS = ("/ws/stations/", "/ws/producer/", "/ws/orders/0197a6d6-0000-7000-8000-000000000000/")
NO_SOCKETS = ("/ws/nothing/", "/ws/", "/", "/ws/orders/1/", "/ws/orders/a\0b/", "/ws/stations/\ud800/")


def open_sockets(*cookies: bytes, path: str) -> list[bool]:
    """Whether a socket opens, for each of these cookies. What the site raises meanwhile is raised here."""

    async def try_all() -> list[bool]:
        try:
            return [await opens(path, cookie) for cookie in cookies]
        finally:
            await live_updates.close()
            live_orders.close()
            await database_sync_to_async(connections.close_all)()

    return asyncio.run(try_all())


async def opens(path: str, cookie: bytes) -> bool:
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"), (b"cookie", cookie)]
    socket = WebsocketCommunicator(build_application(), "/", headers=headers)
    socket.scope["path"] = path
    try:
        return (await socket.connect(timeout=ANSWER_SECONDS))[0]
    finally:
        await socket.disconnect(timeout=ANSWER_SECONDS)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", NO_SOCKETS)
def test_a_socket_that_is_not_there_is_refused_and_raises_nothing(path: str) -> None:
    assert open_sockets(b"", path=path) == [False]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", SOCKETS[1:])
def test_a_socket_whose_cookie_holds_a_nul_is_refused(path: str) -> None:
    written, escaped = b"sessionid=NUL \0 in the middle", b'sessionid="NUL \\000 in the middle"'

    assert open_sockets(written, escaped, path=path) == [False, False]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", SOCKETS)
def test_a_socket_whose_cookie_is_nobodys_raises_nothing(path: str) -> None:
    opened = open_sockets(*(b"sessionid=" + text for text in TEXTS.values() if b"\0" not in text), path=path)

    assert set(opened) == {True}  # who may not see anything is told so by a code, which an open socket alone can tell
