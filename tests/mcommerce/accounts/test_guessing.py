"""Somebody guesses Ada's password, from everywhere; Ada still gets in."""

import re
from typing import Any

import pytest
from django.contrib.auth.signals import user_login_failed
from django.core import mail
from django.test import Client

from eventbus import clock
from mcommerce import settings as site
from mcommerce.accounts.models import User
from mcommerce.accounts.sign_in.password_guesses import GUESSES
from tests.mcommerce.accounts.conftest import EMAIL, PASSWORD, SIGN_IN, sign_in, signed_in

ADDRESSES = [f"203.0.113.{number}" for number in range(10)]
GUESSES_EACH = 3
NEW_PASSWORD = "analytical engine 1"
NEW = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

pytestmark = pytest.mark.usefixtures("bus_clock")  # so that no window of the limits ends meanwhile


@pytest.fixture
def looked_at() -> Any:
    """Credentials that were looked at and found wrong."""
    seen: list[Any] = []

    def note(credentials: Any, **_more: Any) -> None:
        seen.append(credentials)

    user_login_failed.connect(note)
    yield seen
    user_login_failed.disconnect(note)


def besiege(email: str = EMAIL) -> list[int]:
    """Guess from many addresses, each time as a browser that was never here; the status of each answer."""
    return [
        sign_in(Client(REMOTE_ADDR=address), email, f"guess {number}").status_code
        for number in range(GUESSES_EACH)
        for address in ADDRESSES
    ]


def test_of_thirty_guesses_from_ten_addresses_ten_are_looked_at(ada: User, looked_at: list[Any]) -> None:
    answers = besiege()

    assert len(looked_at) == GUESSES.at_most == 10
    assert answers == [200] * 10 + [429] * 20


def test_the_page_says_how_long_and_what_else_there_is(client: Client, ada: User) -> None:
    besiege()

    refused = sign_in(client)

    assert not signed_in(client)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= GUESSES.seconds * 1.1
    assert "/accounts/password/forgotten/" in refused.content.decode()


def test_ada_gets_in_meanwhile_with_a_browser_that_she_used_before(client: Client, ada: User) -> None:
    sign_in(client)
    client.post("/accounts/sign-out/")
    besiege()

    sign_in(client)

    assert signed_in(client)


def test_ada_gets_in_meanwhile_anywhere_by_a_mailed_link_and_that_browser_is_known_then(
    client: Client, ada: User
) -> None:
    besiege()

    client.post("/accounts/password/forgotten/", {"email": EMAIL})
    [link] = re.findall(r"http\S+/password/forgotten/\S+", mail.outbox[-1].body)
    client.post(client.get(link.removeprefix(site.SITE_URL))["Location"], NEW)
    assert signed_in(client)

    client.post("/accounts/sign-out/")
    sign_in(client, password=NEW_PASSWORD)
    assert signed_in(client)


def test_a_known_browser_does_not_guess_for_ever_either(client: Client, ada: User, looked_at: list[Any]) -> None:
    sign_in(client)
    client.post("/accounts/sign-out/")

    answers = [sign_in(client, password="wrong").status_code for _guess in range(GUESSES.at_most + 1)]

    assert len(looked_at) == GUESSES.at_most
    assert answers[-1] == 429


def test_a_browser_that_knows_bob_or_lies_is_a_stranger_to_ada(ada: User) -> None:
    User.objects.create_user("bob@example.com", PASSWORD).trust_email()
    bobs, liar = Client(), Client()
    sign_in(bobs, "bob@example.com")
    bobs.post("/accounts/sign-out/")
    liar.cookies["known_browser"] = f'["name", ["{ada.id.hex}"]]:signed:by-me'
    besiege()

    assert sign_in(bobs).status_code == sign_in(liar).status_code == 429


def test_the_right_password_is_no_guess(ada: User) -> None:
    for _visit in range(GUESSES.at_most + 1):
        somewhere = Client()
        sign_in(somewhere)
        assert signed_in(somewhere)


def test_strangers_do_not_begin_anew_where_a_window_of_the_clock_ends(ada: User, looked_at: list[Any]) -> None:
    clock.advance(seconds=GUESSES.seconds - 1 - clock.now().timestamp() % GUESSES.seconds)
    besiege()

    clock.advance(seconds=2)
    besiege()

    assert len(looked_at) == GUESSES.at_most


def test_the_desk_is_no_way_round(ada: User, client: Client, looked_at: list[Any]) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    besiege()

    door = client.post("/admin/login/?next=/admin/", {"username": EMAIL, "password": PASSWORD})

    assert door["Location"] == f"{SIGN_IN}?next=%2Fadmin%2F"
    assert not signed_in(client)
    assert len(looked_at) == GUESSES.at_most


def test_a_signed_in_browser_is_asked_for_the_password_no_oftener(
    browser: Client, ada: User, looked_at: list[Any]
) -> None:
    for _guess in range(GUESSES.at_most + 1):
        browser.post("/accounts/confirm/?next=/accounts/", {"password": "wrong"})

    assert len(looked_at) <= GUESSES.at_most


def test_one_place_cannot_try_everybodys_password(client: Client, ada: User) -> None:
    answers = [sign_in(client, f"{number}@example.com", "wrong").status_code for number in range(101)]

    assert answers == [200] * 100 + [429]
