"""Staff sign in with a password and a code of their telephone, on a site that is deployed."""

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.db import DatabaseError
from django.test import Client

from mcommerce.accounts.models import User
from tests.frozen_database import without
from tests.mcommerce.accounts.conftest import EMAIL, PASSWORD, SIGN_IN, reauthenticate, sign_in, signed_in

SET_UP = "/accounts/second-factor/app/"
CODE = "/accounts/sign-in/code/"


@pytest.fixture
def staff(ada: User, settings: Any) -> User:
    """Ada works here, and the site is deployed."""
    settings.STAFF_SECOND_FACTOR = True
    ada.is_staff = ada.is_superuser = True
    ada.save()
    return ada


def shown_code(secret: str) -> str:
    """What an app shows now."""
    counters = list(yield_hotp_counters_from_time())
    return format_hotp_value(hotp_value(secret, counters[len(counters) // 2]))


def set_up(browser: Client) -> str:
    """Have an app show codes from now on; the secret that it keeps."""
    reauthenticate(browser, then=SET_UP)
    secret: str = browser.get(SET_UP).context["form"].secret
    browser.post(SET_UP, {"code": shown_code(secret)})
    return secret


def test_staff_are_led_to_set_one_up_before_the_desk_opens(browser: Client, staff: User) -> None:
    assert browser.get("/admin/")["Location"] == SET_UP
    assert browser.post("/admin/accounts/user/add/")["Location"] == SET_UP
    assert browser.get("/stations/producer/")["Location"] == SET_UP

    set_up(browser)

    assert browser.get("/admin/").status_code == 200


def test_staff_without_one_may_do_nothing_at_sockets_either(staff: User) -> None:
    assert not staff.has_perm("orders.view_order")
    assert not staff.has_module_perms("orders")

    Authenticator.objects.create(user=staff, type=Authenticator.Type.TOTP, data={"secret": "x"})

    assert User.objects.get(id=staff.id).has_perm("orders.view_order")


def test_customers_are_not_asked(browser: Client, ada: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = True

    assert browser.get("/").status_code == 200
    assert browser.get("/accounts/").status_code == 200


def test_the_desk_opens_with_password_and_code(browser: Client, staff: User) -> None:
    secret = set_up(browser)
    client = Client()

    assert sign_in(client, path=f"{SIGN_IN}?next=/admin/")["Location"] == CODE
    assert not signed_in(client)
    assert client.get("/admin/").status_code == 302
    assert client.post(CODE, {"code": other_than(shown_code(secret))}).status_code == 200

    assert client.post(CODE, {"code": shown_code(secret)})["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def other_than(code: str) -> str:
    return f"{(int(code) + 500_000) % 1_000_000:06}"


def test_a_lost_telephone_is_stood_in_for_by_a_code_that_works_once(browser: Client, staff: User) -> None:
    set_up(browser)
    kept = browser.get("/accounts/second-factor/codes/file/").content.decode().split()
    first, second = Client(), Client()

    for client in (first, second):
        sign_in(client)
        client.post(CODE, {"code": kept[0]})

    assert len(kept) == 10
    assert signed_in(first)
    assert not signed_in(second)


def test_codes_are_guessed_ten_times_and_no_more(browser: Client, staff: User, bus_clock: object) -> None:
    secret = set_up(browser)
    client = Client()
    sign_in(client)
    for _guess in range(10):
        client.post(CODE, {"code": other_than(shown_code(secret))})

    client.post(CODE, {"code": shown_code(secret)})

    assert not signed_in(client)


def test_a_mailed_link_does_not_stand_in_for_it(browser: Client, staff: User) -> None:
    set_up(browser)
    client = Client()
    client.post("/accounts/password/forgotten/", {"email": EMAIL})
    [link] = re.findall(r"/accounts/password/forgotten/\S+", mail.outbox[-1].body)
    new = {"password1": "analytical engine 1", "password2": "analytical engine 1"}

    assert client.post(client.get(link)["Location"], new)["Location"] == CODE
    assert not signed_in(client)


def test_one_cannot_be_removed_without_showing_that_it_is_you(browser: Client, staff: User) -> None:
    set_up(browser)
    client = Client()
    client.force_login(staff)

    answer = client.post("/accounts/second-factor/app/remove/")

    assert answer["Location"].startswith("/accounts/confirm/")
    assert Authenticator.objects.filter(user=staff, type=Authenticator.Type.TOTP).exists()


def test_the_boss_takes_a_lost_one_away_and_others_cannot(browser: Client, staff: User) -> None:
    set_up(browser)
    bob = User.objects.create_user("bob@example.com", PASSWORD, is_staff=True)
    Authenticator.objects.create(user=bob, type=Authenticator.Type.TOTP, data={"secret": "x"})
    action = {"action": "take_second_factor_away", "_selected_action": [str(bob.id)]}

    browser.post("/admin/accounts/user/", action)

    assert not Authenticator.objects.filter(user=bob).exists()
    history = browser.get(f"/admin/accounts/user/{bob.id}/history/").content.decode()
    assert "The second factor is taken away" in history


def test_it_is_not_taken_away_where_the_history_does_not_say_who(browser: Client, staff: User) -> None:
    set_up(browser)
    bob = User.objects.create_user("bob@example.com", PASSWORD, is_staff=True)
    Authenticator.objects.create(user=bob, type=Authenticator.Type.TOTP, data={"secret": "x"})
    action = {"action": "take_second_factor_away", "_selected_action": [str(bob.id)]}

    with without("django_admin_log"), pytest.raises(DatabaseError):
        browser.post("/admin/accounts/user/", action)

    assert Authenticator.objects.filter(user=bob).exists()
