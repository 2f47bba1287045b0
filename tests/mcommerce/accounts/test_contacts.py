"""Other modules know how to write to the owners of accounts, and forget them when they leave."""

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from eventbus.testing import published_events
from mcommerce.accounts.models import User
from mcommerce.accounts.services import profile
from mcommerce.events import CustomerContactChanged, CustomerDeleted
from tests.mcommerce.accounts.conftest import EMAIL, PASSWORD, mailed_code, type_code


def contacts() -> list[tuple[str, str]]:
    return [(told.email, told.language) for told in published_events(CustomerContactChanged)]


def test_an_address_is_told_once_it_is_verified(db: None, mailoutbox: Any) -> None:
    browser = Client(headers={"accept-language": "fr"})
    form = {"email": EMAIL, "name": "Ada", "password1": PASSWORD, "password2": PASSWORD}
    browser.post(reverse("account_signup"), form)
    assert contacts() == []

    type_code(browser, mailed_code())

    assert contacts() == [(EMAIL, "fr")]
    assert published_events(CustomerContactChanged)[0].customer_id == User.objects.get().id


def test_a_new_language_is_told_and_a_new_name_is_not(ada: User) -> None:
    profile.change_details(user_id=ada.id, name="Ada, Countess of Lovelace", language="en")
    assert contacts() == []

    profile.change_details(user_id=ada.id, name="Ada", language="fr")

    assert contacts() == [(EMAIL, "fr")]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"language": "fr"}, (EMAIL, "fr")),
        ({"email": "countess@example.com"}, ("", "en")),  # nobody has verified it yet
        ({"is_active": ""}, ("", "en")),
    ],
)
def test_what_staff_changes_is_told(
    ada: User, admin_client: Client, changes: dict[str, str], told: tuple[str, str]
) -> None:
    page = reverse("admin:accounts_user_change", args=[ada.id])
    form = {"email": EMAIL, "name": ada.name, "language": "en", "is_active": "on"} | changes
    if not form["is_active"]:
        del form["is_active"]
    counts = {f"addresses-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}

    assert admin_client.post(page, form | counts).status_code == 302

    assert contacts() == [told]


def test_an_account_that_is_deleted_is_told_without_its_address(ada: User) -> None:
    customer_id = ada.id

    ada.delete()

    assert published_events(CustomerDeleted) == [CustomerDeleted(customer_id=customer_id)]
    assert contacts() == []


def test_a_module_that_starts_late_hears_of_every_account(ada: User, capsys: pytest.CaptureFixture[str]) -> None:
    User.objects.create_user("bob@example.com", PASSWORD)

    call_command("publish_contacts")

    assert contacts() == [(EMAIL, "en"), ("", "fr")]
    assert capsys.readouterr().out == "Published the contacts of 2 accounts.\n"
