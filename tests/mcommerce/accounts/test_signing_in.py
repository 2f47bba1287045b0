"""Ada signs in; somebody else guesses her password."""

from datetime import timedelta

import pytest
from django.test import Client, RequestFactory

from eventbus import clock
from mcommerce.accounts.models import SignInAttempt, User
from mcommerce.accounts.throttle import (
    SIGN_IN_ATTEMPTS_MAX,
    SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX,
    SIGN_IN_WINDOW,
    network_address,
)

from .conftest import EMAIL, PASSWORD

SIGN_IN = "/accounts/sign-in/"


def sign_in(client: Client, email: str = EMAIL, password: str = PASSWORD, path: str = SIGN_IN, **headers: str):  # type: ignore[no-untyped-def]
    return client.post(path, {"username": email, "password": password}, headers={"accept-language": "en"}, **headers)


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_ada_signs_in_however_she_writes_her_address(client: Client, ada: User) -> None:
    answer = sign_in(client, "ADA@Example.com")

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert signed_in(client)


def test_ada_goes_where_she_wanted_to_go_but_never_to_another_site(client: Client, ada: User) -> None:
    assert sign_in(client, path=f"{SIGN_IN}?next=/checkout/")["Location"] == "/checkout/"

    assert sign_in(Client(), path=f"{SIGN_IN}?next=https://evil.example/")["Location"] == "/"


def test_ada_reads_the_pages_in_her_language(client: Client, ada: User) -> None:
    User.objects.update(language="fr")

    assert sign_in(client).cookies["django_language"].value == "fr"


def test_a_wrong_password_and_an_unknown_address_read_the_same(client: Client, ada: User) -> None:
    wrong = sign_in(client, password="wrong").content.decode()
    unknown = sign_in(client, email="bob@example.com").content.decode()

    for page in (wrong, unknown):
        assert "This e-mail address and this password do not belong together." in page
    assert not signed_in(client)


@pytest.mark.parametrize("door", [SIGN_IN, "/admin/login/"])
def test_guessing_ends_even_with_the_right_guess(client: Client, ada: User, door: str) -> None:
    for _guess in range(SIGN_IN_ATTEMPTS_MAX):
        sign_in(client, password="wrong", path=door)

    refused = sign_in(client, path=door)

    assert "Too many tries" in refused.content.decode()
    assert not signed_in(client)


def test_ada_is_let_in_again_after_a_while(client: Client, ada: User, bus_clock: object) -> None:
    for _guess in range(SIGN_IN_ATTEMPTS_MAX):
        sign_in(client, password="wrong")

    clock.advance(seconds=SIGN_IN_WINDOW.total_seconds() + 1)
    sign_in(client)

    assert signed_in(client)
    assert not SignInAttempt.objects.exists()


def test_a_guesser_elsewhere_does_not_lock_ada_out(client: Client, ada: User) -> None:
    for _guess in range(SIGN_IN_ATTEMPTS_MAX + 1):
        sign_in(Client(REMOTE_ADDR="203.0.113.9"), password="wrong")

    sign_in(client)

    assert signed_in(client)


def test_one_place_cannot_try_everybodys_password(client: Client, ada: User) -> None:
    now = clock.now() - timedelta(minutes=1)
    SignInAttempt.objects.bulk_create(
        SignInAttempt(address="127.0.0.1", email=f"{number}@example.com", at=now)
        for number in range(SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX)
    )

    assert "Too many tries" in sign_in(client).content.decode()


@pytest.mark.parametrize(
    ("seen", "address"),
    [("203.0.113.9", "203.0.113.9"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("", "unknown")],
)
def test_a_place_is_as_much_as_one_household_has(seen: str, address: str) -> None:
    assert network_address(RequestFactory().get("/", REMOTE_ADDR=seen)) == address


def test_signing_out_takes_a_button(browser: Client) -> None:
    assert browser.get("/accounts/sign-out/").status_code == 405
    assert signed_in(browser)

    assert browser.post("/accounts/sign-out/")["Location"] == "/"
    assert not signed_in(browser)


def test_a_closed_account_does_not_open(client: Client, ada: User) -> None:
    User.objects.update(is_active=False)

    sign_in(client)

    assert not signed_in(client)
