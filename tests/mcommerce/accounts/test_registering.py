"""Bob opens an account; nobody learns from it who has one."""

import re
import smtplib
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client

from mcommerce.accounts.models import User
from mcommerce.rate_limits.models import CacheEntry
from tests.mcommerce.accounts.conftest import (
    CODE_PAGE,
    EMAIL,
    PASSWORD,
    SIGN_IN,
    mailed_code,
    sign_in,
    signed_in,
    type_code,
)
from tests.mcommerce.orders.test_races import at_the_same_time

REGISTER = "/accounts/register/"
BOB = {"name": "Bob", "email": "Bob@example.com", "password1": "correct horse 9", "password2": "correct horse 9"}


def register(client: Client, path: str = REGISTER, language: str = "en", **fields: str):  # type: ignore[no-untyped-def]
    return client.post(path, BOB | fields, headers={"accept-language": language})


def test_bob_opens_an_account_types_his_code_and_goes_on_where_he_was(client: Client, db: None) -> None:
    answer = register(client, f"{REGISTER}?next=/checkout/", "fr")
    assert (answer.status_code, answer["Location"]) == (302, CODE_PAGE)
    assert not signed_in(client)

    answer = type_code(client, mailed_code())

    assert (answer.status_code, answer["Location"]) == (302, "/checkout/")
    bob = User.objects.get()
    assert (bob.email, bob.name, bob.language) == ("bob@example.com", "Bob", "fr")
    assert UUID(client.session["_auth_user_id"]) == bob.id


@pytest.mark.parametrize(
    "wrong",
    [
        {"password1": "12345678", "password2": "12345678"},
        {"password2": "correct horse 8"},
        {"email": "nowhere"},
        {"email": "b\x00b@example.com"},
        {"email": f"{'b' * 300}@example.com"},
        {"name": "B" * 151},
        {"name": "B\x00b"},
    ],
)
def test_an_account_that_cannot_be_is_refused(client: Client, ada: User, wrong: dict[str, str]) -> None:
    assert register(client, **wrong).status_code == 200
    assert User.objects.count() == 1


def test_registering_says_the_same_of_a_known_address_as_of_an_unknown_one(ada: User) -> None:
    new, known = Client(), Client()

    answers = [register(new, email="eve@example.com"), register(known, email=EMAIL)]
    pages = [shown(new, "eve@example.com"), shown(known, EMAIL)]
    wrong = [type_code(visitor, "WRNG-CODE") for visitor in (new, known)]

    assert len({(answer.status_code, answer["Location"], *answer.headers) for answer in answers}) == 1
    assert pages[0] == pages[1]
    assert len({answer.status_code for answer in wrong}) == 1
    assert len(mail.outbox) == 2
    assert not signed_in(known)


def shown(client: Client, email: str) -> str:
    """The page for the code, but for what differs by visitor."""
    page = client.get(CODE_PAGE, headers={"accept-language": "en"}).content.decode().replace(email, "<email>")
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", page)


def test_a_password_is_hashed_for_a_known_address_as_well(ada: User, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    CountingHasher.hashed = 0

    register(Client(), email="eve@example.com")
    for_unknown, CountingHasher.hashed = CountingHasher.hashed, 0
    register(Client(), email=EMAIL)

    assert CountingHasher.hashed == for_unknown > 0


class CountingHasher(MD5PasswordHasher):
    hashed = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.hashed += 1
        return super().encode(password, salt)


def test_the_owner_of_a_known_address_is_told_and_nothing_is_changed(ada: User, client: Client) -> None:
    User.objects.update(language="fr")

    register(client, email="ADA@example.com", name="http://evil.example/")

    [told] = mail.outbox
    assert told.to == [EMAIL]
    assert "http://127.0.0.1:8000/accounts/sign-in/" in told.body
    assert "Bonjour" in told.body, "she reads French"
    assert "evil" not in told.subject + told.body
    ada.refresh_from_db()
    assert (ada.name, ada.check_password(PASSWORD)) == ("Ada Lovelace", True)


def test_a_code_opens_once_and_only_where_it_was_asked_for(client: Client, db: None) -> None:
    register(client)
    code = mailed_code()

    assert type_code(Client(), code)["Location"] == SIGN_IN
    type_code(client, code)

    assert signed_in(client)
    assert type_code(client, code)["Location"] == "/accounts/email/"


def test_three_wrong_codes_end_the_try(client: Client, db: None) -> None:
    register(client)

    for _try in range(3):
        type_code(client, "WRNG-CODE")

    assert type_code(client, mailed_code())["Location"] == SIGN_IN
    assert not signed_in(client)


@pytest.mark.django_db(transaction=True)
def test_two_who_register_one_address_at_once_both_get_a_page_and_one_account_is_opened() -> None:
    answers = at_the_same_time(*[lambda: register(Client()).status_code] * 2)

    assert answers == [302, 302]
    assert User.objects.count() == 1


def test_behind_a_proxy_visitors_are_counted_and_not_the_proxy(db: None, settings: Any, bus_clock: object) -> None:
    settings.TRUST_PROXY = True

    def comes_from(address: str, number: int) -> int:
        through = Client(headers={"x-forwarded-for": f"198.51.100.{number}, {address}"})
        return register(through, email=f"bob{number}@example.com").status_code

    assert [comes_from("203.0.113.1", number) for number in range(21)] == [302] * 20 + [429]
    assert comes_from("203.0.113.2", 21) == 302
    assert comes_from("2001:db8::1", 22) == 302


def test_a_plus_makes_no_second_mail_box(client: Client, db: None) -> None:
    answers = [register(Client(), email=f"victim+{number}@example.com").status_code for number in range(15)]

    assert answers == [302] * 5 + [429] * 10
    assert len(mail.outbox) == 5
    assert register(client, email="somebody.else@example.com").status_code == 302


@pytest.mark.parametrize("fault", [smtplib.SMTPException, ConnectionRefusedError, TimeoutError])
def test_a_mail_that_fails_is_no_500_and_can_be_asked_for_again(
    client: Client, db: None, settings: Any, fault: type[Exception]
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.MailServerAway"
    MailServerAway.fault = fault

    answer = register(client)

    assert answer["Location"] == CODE_PAGE
    page = client.get(CODE_PAGE, headers={"accept-language": "en"}).content.decode()
    assert "The mail could not be sent" in page
    assert "Send another code" in page


class MailServerAway(BaseEmailBackend):
    fault: type[Exception] = OSError

    def send_messages(self, email_messages: Any) -> int:
        raise self.fault


def test_the_mail_starts_its_links_with_our_address_and_never_with_hosts(
    ada: User, client: Client, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.SITE_URL = "https://shop.example"
    for path, fields in [(REGISTER, BOB | {"email": EMAIL}), ("/accounts/password/forgotten/", {"email": EMAIL})]:
        client.post(path, fields, headers={"host": "evil.example"})
    client.post("/accounts/password/forgotten/", {"email": "nobody@example.com"}, headers={"host": "evil.example"})

    assert len(mail.outbox) == 3
    for told in mail.outbox:
        assert "https://shop.example/accounts/" in told.body
        assert "evil" not in told.subject + told.body


def test_the_code_is_mailed_in_the_visitors_language_without_what_he_wrote(client: Client, db: None) -> None:
    register(client, language="fr", name="Win at http://evil.example/")

    [told] = mail.outbox
    assert told.subject == "Votre code pour Mcommerce"
    assert "evil" not in told.subject + told.body


def test_what_is_counted_names_nobodys_address(site_cache: object) -> None:
    register(Client(REMOTE_ADDR="203.0.113.77"))
    sign_in(Client(REMOTE_ADDR="203.0.113.77"))

    keys = " ".join(CacheEntry.objects.values_list("cache_key", flat=True))
    assert "signup" in keys and "guesses" in keys
    assert "203.0.113" not in keys and "@" not in keys
