"""Who may use the addresses, tables and sockets of accounts and signing in. `tests/permissions` tries each row."""

from pathlib import Path
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.mfa.totp.internal import auth as totp
from django.test import Client
from django.urls import reverse

from mcommerce.accounts.models import Address, User
from tests.permissions import sample_rows
from tests.permissions.access_needs import (
    ALL,
    FRONT,
    NO_METHOD,
    OWNER,
    PASSWORD,
    SECRET,
    SIGNED_IN,
    SUPERUSER,
    Desk,
    Route,
    permission,
)

CONFIRM = ("account_reauthenticate",)  # who it is, is asked first
NEW_PASSWORD = {"password1": "analytical engine 1", "password2": "analytical engine 1"}
SIGN_IN = {"login": "other@example.com", "password": PASSWORD}
NEW_EMAIL = {"email": "new@example.com", "action_add": ""}
ADDRESS = {"recipient": "Ada", "street": "12 rue des Fleurs", "postal_code": "69001", "city": "Lyon", "country": "FR"}
PERSON = {
    **{"email": "new@example.com", "name": "Ada", "language": "", "is_active": "on", "usable_password": "true"},
    **{"addresses-TOTAL_FORMS": 0, "addresses-INITIAL_FORMS": 0},
    **NEW_PASSWORD,
}


def confirmed(client: Client) -> dict[str, Any]:
    """Nothing to fill in, for somebody who has just typed the password again."""
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return {}


def with_the_code(client: Client) -> dict[str, Any]:
    """The code that the customer's telephone shows now."""
    return {"code": _code_of(SECRET)}


def with_the_new_code(client: Client) -> dict[str, Any]:
    """The code of a telephone that has just taken the secret from the page."""
    confirmed(client)
    page = client.get(reverse("mfa_activate_totp"))
    return {"code": _code_of(page.context["form"].secret)} if page.status_code == 200 else {}


def with_a_second_factor(client: Client) -> dict[str, Any]:
    """Nothing to fill in, for somebody whose telephone shows codes."""
    client.post(reverse("mfa_activate_totp"), with_the_new_code(client))
    return {}


def _code_of(secret: str) -> str:
    counters = list(totp.yield_hotp_counters_from_time())
    return str(totp.format_hotp_value(totp.hotp_value(secret, counters[len(counters) // 2])))


def with_the_mailed_key(client: Client) -> dict[str, Any]:
    """The form of somebody who has followed the link in the mail."""
    ada = User.objects.get(email="customer@example.com")
    client.get(reverse("accounts:open_link"), {"key": f"{ada.pk.hex}-{default_token_generator.make_token(ada)}"})
    return NEW_PASSWORD


ROUTES: dict[str, Route] = {
    "accounts:account": Route(get=SIGNED_IN, post=SIGNED_IN, data={"name": "Ada King", "language": "fr"}),
    # The key decides, not who shows it.
    "accounts:open_link": Route(get=ALL, post=ALL, leads_to=("account_reset_password_from_key",)),
    "accounts:add_address": Route(get=SIGNED_IN, post=SIGNED_IN, data=ADDRESS),
    "accounts:edit_address": Route(get=OWNER, post=OWNER, data=ADDRESS),
    "accounts:delete_address": Route(get=NO_METHOD, post=OWNER),
    "account_login": Route(get=ALL, post=ALL, data=SIGN_IN, leads_to=FRONT),
    "account_logout": Route(get=ALL, post=ALL, leads_to=FRONT),
    "account_signup": Route(get=ALL, post=ALL, data={**NEW_EMAIL, **NEW_PASSWORD}, leads_to=FRONT),
    "account_inactive": Route(get=ALL),
    # And who has just registered.
    "account_email_verification_sent": Route(get=SIGNED_IN, post=SIGNED_IN, leads_to=("account_email",)),
    "account_email": Route(get=SIGNED_IN, post=SIGNED_IN, data=NEW_EMAIL),
    "account_reauthenticate": Route(get=SIGNED_IN, post=SIGNED_IN, data={"password": PASSWORD}),
    "account_change_password": Route(get=SIGNED_IN, post=SIGNED_IN, data={"oldpassword": PASSWORD, **NEW_PASSWORD}),
    "account_set_password": Route(get=SIGNED_IN, post=SIGNED_IN, leads_to=("account_change_password",)),
    "account_reset_password": Route(get=ALL, post=ALL, data={"email": "customer@example.com"}),
    "account_reset_password_done": Route(get=ALL),
    # The key decides, not who shows it.
    "account_reset_password_from_key": Route(get=ALL, post=ALL, data=with_the_mailed_key),
    "account_reset_password_from_key_done": Route(get=ALL),
    # Who is signed in is led on. And who has just given the password.
    "mfa_authenticate": Route(get=SIGNED_IN, post=SIGNED_IN, leads_to=FRONT),
    "mfa_reauthenticate": Route(get=SIGNED_IN, post=SIGNED_IN, data=with_the_code, leads_to=CONFIRM),
    "mfa_index": Route(get=SIGNED_IN),
    "mfa_activate_totp": Route(get=SIGNED_IN, post=SIGNED_IN, data=with_the_new_code, leads_to=("mfa_index", *CONFIRM)),
    # Of a second factor, which only that customer has.
    "mfa_deactivate_totp": Route(get=OWNER, post=OWNER, data=confirmed, leads_to=CONFIRM),
    "mfa_view_recovery_codes": Route(get=OWNER, leads_to=CONFIRM),
    # Who it is, is asked first; after that no form is taken either.
    "mfa_download_recovery_codes": Route(get=OWNER, post=OWNER, leads_to=CONFIRM),
    "mfa_generate_recovery_codes": Route(get=SIGNED_IN, post=SIGNED_IN, data=with_a_second_factor, leads_to=CONFIRM),
    "admin:auth_user_password_change": Route(
        get=permission("accounts.change_user"), post=permission("accounts.change_user"), data=PERSON
    ),
}

DESK: dict[str, Desk] = {
    "accounts.user": Desk(
        add=permission("accounts.add_user") & permission("accounts.change_user"),
        change=permission("accounts.change_user"),  # of customers; test_rights.py tries the rest
        delete=permission("accounts.delete_user"),
        actions={"delete_selected": permission("accounts.delete_user"), "take_second_factor_away": SUPERUSER},
        data=PERSON,
    ),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """An address of the customer."""
    ada = User.objects.get(email="customer@example.com")
    return {"address_id": sample_rows.row(Address, user=ada).pk}
