"""Bob opens an account; Ada keeps hers in order."""

from uuid import UUID

import pytest
from django.test import Client

from mcommerce.accounts import services
from mcommerce.accounts.models import Address, User

from .conftest import EMAIL, PASSWORD

HOME = {
    "recipient": "Ada Lovelace",
    "street": "12 rue des Fleurs",
    "extra": "",
    "postal_code": "69001",
    "city": "Lyon",
    "country": "FR",
}
REGISTER = {"name": "Bob", "email": "Bob@example.com", "password1": "correct horse 9", "password2": "correct horse 9"}


def test_bob_opens_an_account_and_is_signed_in(client: Client, db: None) -> None:
    answer = client.post("/accounts/register/?next=/checkout/", REGISTER, headers={"accept-language": "fr"})

    assert (answer.status_code, answer["Location"]) == (302, "/checkout/")
    bob = User.objects.get()
    assert (bob.email, bob.name, bob.language) == ("bob@example.com", "Bob", "fr")
    assert UUID(client.session["_auth_user_id"]) == bob.id


@pytest.mark.parametrize(
    "wrong",
    [
        {"password1": "12345678", "password2": "12345678"},
        {"password2": "correct horse 8"},
        {"email": "ADA@example.com"},
        {"email": "nowhere"},
    ],
)
def test_an_account_that_cannot_be_is_refused(client: Client, ada: User, wrong: dict[str, str]) -> None:
    assert client.post("/accounts/register/", REGISTER | wrong).status_code == 200
    assert User.objects.count() == 1


def test_an_address_taken_between_look_and_leap_is_refused(ada: User) -> None:
    with pytest.raises(services.EmailTaken):
        services.register(email="ADA@example.com", password=PASSWORD, name="", language="en")


def test_the_account_is_for_who_is_signed_in(client: Client, db: None) -> None:
    assert client.get("/accounts/")["Location"] == "/accounts/sign-in/?next=/accounts/"


def test_ada_changes_her_name_and_language(browser: Client, ada: User) -> None:
    answer = browser.post("/accounts/", {"name": "Ada King", "email": EMAIL, "language": "fr"})

    ada.refresh_from_db()
    assert (ada.name, ada.language) == ("Ada King", "fr")
    assert answer.cookies["django_language"].value == "fr"


@pytest.mark.parametrize(("password", "kept"), [("", EMAIL), ("wrong", EMAIL), (PASSWORD, "ada@king.example")])
def test_another_address_takes_the_password(browser: Client, ada: User, password: str, kept: str) -> None:
    browser.post(
        "/accounts/",
        {"name": "", "email": "Ada@King.example", "language": "en", "current_password": password},
    )

    ada.refresh_from_db()
    assert ada.email == kept


def test_ada_cannot_take_bobs_address(browser: Client, ada: User) -> None:
    User.objects.create_user("bob@example.com")

    browser.post("/accounts/", {"name": "", "email": "BOB@example.com", "language": "en", "current_password": PASSWORD})

    ada.refresh_from_db()
    assert ada.email == EMAIL


def test_ada_keeps_changes_and_deletes_an_address(browser: Client, ada: User) -> None:
    browser.post("/accounts/addresses/new/", HOME)
    home = Address.objects.get(user=ada)
    assert "12 rue des Fleurs" in browser.get("/accounts/").content.decode()

    browser.post(f"/accounts/addresses/{home.id}/", HOME | {"city": "Paris"})
    home.refresh_from_db()
    assert home.city == "Paris"

    browser.post(f"/accounts/addresses/{home.id}/delete/")
    assert not Address.objects.exists()


def test_ada_cannot_touch_bobs_addresses(browser: Client) -> None:
    bob = User.objects.create_user("bob@example.com")
    his = Address.objects.create(user=bob, **HOME)

    assert browser.get(f"/accounts/addresses/{his.id}/").status_code == 404
    assert browser.post(f"/accounts/addresses/{his.id}/", HOME).status_code == 404
    assert browser.post(f"/accounts/addresses/{his.id}/delete/").status_code == 404
    with pytest.raises(services.AddressUnknown):
        services.save_address(user_id=User.objects.get(email=EMAIL).id, address=his)
    assert Address.objects.get().user == bob


def test_addresses_have_an_end(browser: Client, ada: User) -> None:
    Address.objects.bulk_create(Address(user=ada, **HOME) for _ in range(services.ADDRESSES_MAX))

    answer = browser.post("/accounts/addresses/new/", HOME)

    assert "Delete one first" in answer.content.decode()
    assert Address.objects.count() == services.ADDRESSES_MAX


def test_a_new_password_takes_the_old_one_and_signs_other_browsers_out(browser: Client, ada: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(ada)
    new = {"new_password1": "analytical engine 1", "new_password2": "analytical engine 1"}

    assert browser.post("/accounts/password/", new | {"old_password": "wrong"}).status_code == 200
    assert browser.post("/accounts/password/", new | {"old_password": PASSWORD})["Location"] == "/accounts/"

    ada.refresh_from_db()
    assert ada.check_password("analytical engine 1")
    assert browser.get("/accounts/").status_code == 200
    assert elsewhere.get("/accounts/").status_code == 302


def test_the_desk_finds_and_adds_people(ada: User) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    desk = Client()
    desk.force_login(ada)
    new = {
        "email": "Eve@example.com",
        "name": "Eve",
        "usable_password": "true",
        "password1": "correct horse 9",
        "password2": "correct horse 9",
        "addresses-TOTAL_FORMS": "0",
        "addresses-INITIAL_FORMS": "0",
    }

    assert desk.post("/admin/accounts/user/add/", new).status_code == 302
    assert "eve@example.com" in desk.get("/admin/accounts/user/?q=EVE").content.decode()
    assert desk.get(f"/admin/accounts/user/{ada.id}/change/").status_code == 200
