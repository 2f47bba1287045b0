"""Ada keeps her account in order."""

import pytest
from django.core import mail
from django.test import Client

from mcommerce.accounts.models import Address, User
from mcommerce.accounts.services import profile
from tests.mcommerce.accounts.conftest import (
    EMAIL,
    PASSWORD,
    mailed_code,
    reauthenticate,
    sign_in,
    signed_in,
    type_code,
)

EMAIL_PAGE = "/accounts/email/"

HOME = {
    "recipient": "Ada Lovelace",
    "street": "12 rue des Fleurs",
    "extra": "",
    "postal_code": "69001",
    "city": "Lyon",
    "country": "FR",
}


UNREADABLE = ["\u3164", "Ada \u2800", "\u115f\u1160", "Ada\u200b", "see http://evil.example"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_no_parcel_goes_to_a_name_or_place_that_cannot_be_read(text: str, browser: Client, ada: User) -> None:
    for field in ("recipient", "street", "extra", "postal_code", "city"):
        answer = browser.post("/accounts/addresses/new/", HOME | {field: text[:20]})
        assert list(answer.context["form"].errors) == [field]
    answer = browser.post("/accounts/", {"name": text, "language": "fr"})
    assert list(answer.context["form"].errors) == ["name"]
    assert "hidden characters" in answer.content.decode()

    assert not Address.objects.exists()
    ada.refresh_from_db()
    assert ada.name != text


def test_another_address_takes_the_password_and_the_code_mailed_to_it(browser: Client, ada: User) -> None:
    new = {"email": "Ada@King.example", "action_add": ""}
    assert "/accounts/confirm/" in browser.post(EMAIL_PAGE, new)["Location"]
    assert "Incorrect password" in reauthenticate(browser, "wrong").content.decode()
    reauthenticate(browser)

    browser.post(EMAIL_PAGE, new)
    assert mail.outbox[-1].to == ["ada@king.example"]
    ada.refresh_from_db()
    assert ada.email == EMAIL

    type_code(browser, mailed_code())
    ada.refresh_from_db()
    assert ada.email == "ada@king.example"
    assert mail.outbox[-1].to == [EMAIL], "nobody told the old address"


def test_ada_cannot_take_bobs_address_nor_learn_that_he_has_it(browser: Client, ada: User) -> None:
    User.objects.create_user("bob@example.com")
    reauthenticate(browser)

    taken = browser.post(EMAIL_PAGE, {"email": "BOB@example.com", "action_add": ""})
    free = browser.post(EMAIL_PAGE, {"email": "eve@example.com", "action_add": ""})

    assert (taken.status_code, taken["Location"]) == (free.status_code, free["Location"])
    ada.refresh_from_db()
    assert ada.email == EMAIL


def test_an_address_that_the_desk_changed_is_verified_by_its_owner(ada: User, client: Client) -> None:
    boss = User.objects.create_superuser("boss@example.com")
    desk = Client()
    desk.force_login(boss)
    page = desk.get(f"/admin/accounts/user/{ada.id}/change/")
    fields = page.context["adminform"].form.initial | {
        "email": "ada@king.example",
        "is_active": "on",
        "is_staff": "",
        "is_superuser": "",
        "groups": [],
        "user_permissions": [],
        "addresses-TOTAL_FORMS": "0",
        "addresses-INITIAL_FORMS": "0",
    }
    answer = desk.post(
        f"/admin/accounts/user/{ada.id}/change/",
        {name: "" if value is None else value for name, value in fields.items()},
    )
    assert answer.status_code == 302

    sign_in(client, EMAIL)
    assert not signed_in(client)
    sign_in(client, "ada@king.example")
    type_code(client, mailed_code())
    assert signed_in(client)


def test_ada_keeps_changes_and_deletes_an_address(browser: Client, ada: User) -> None:
    browser.post("/accounts/addresses/new/", HOME)
    home = Address.objects.get(user=ada)
    assert "12 rue des Fleurs" in browser.get("/accounts/").content.decode()

    browser.post(f"/accounts/addresses/{home.id}/", HOME | {"city": "Paris"})
    home.refresh_from_db()
    assert home.city == "Paris"

    browser.post(f"/accounts/addresses/{home.id}/delete/")
    assert not Address.objects.exists()


def test_addresses_have_an_end(browser: Client, ada: User) -> None:
    Address.objects.bulk_create(Address(user=ada, **HOME) for _ in range(profile.ADDRESSES_MAX))

    answer = browser.post("/accounts/addresses/new/", HOME)

    assert "Delete one first" in answer.content.decode()
    assert Address.objects.count() == profile.ADDRESSES_MAX


def test_a_new_password_takes_the_old_one_and_signs_other_browsers_out(browser: Client, ada: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(ada)
    new = {"password1": "analytical engine 1", "password2": "analytical engine 1"}

    assert browser.post("/accounts/password/", new | {"oldpassword": "wrong"}).status_code == 200
    assert browser.post("/accounts/password/", new | {"oldpassword": PASSWORD})["Location"] == "/accounts/"

    ada.refresh_from_db()
    assert ada.check_password("analytical engine 1")
    assert browser.get("/accounts/").status_code == 200
    assert elsewhere.get("/accounts/").status_code == 302
    assert mail.outbox[-1].to == [EMAIL], "a changed password is told to its owner"
