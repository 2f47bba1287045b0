"""Who may use the addresses, tables and sockets of accounts and signing in. `tests/permissions` tries each row."""

from pathlib import Path
from typing import Any

from mcommerce.accounts.models import Address, User
from tests.permissions import sample_rows
from tests.permissions.access_needs import ALL, NO_METHOD, OWNER, SIGNED_IN, SUPERUSER, Desk, Route, permission

ROUTES: dict[str, Route] = {
    "accounts:account": Route(get=SIGNED_IN, post=SIGNED_IN),
    "accounts:open_link": Route(get=ALL, post=ALL),  # the key decides, not who shows it
    "accounts:add_address": Route(get=SIGNED_IN, post=SIGNED_IN),
    "accounts:edit_address": Route(get=OWNER, post=OWNER),
    "accounts:delete_address": Route(get=NO_METHOD, post=OWNER),
    "account_login": Route(get=ALL, post=ALL),
    "account_logout": Route(get=ALL, post=ALL),
    "account_signup": Route(get=ALL, post=ALL),
    "account_inactive": Route(get=ALL),
    "account_email_verification_sent": Route(get=SIGNED_IN, post=SIGNED_IN),  # and who has just registered
    "account_email": Route(get=SIGNED_IN, post=SIGNED_IN),
    "account_reauthenticate": Route(get=SIGNED_IN, post=SIGNED_IN),
    "account_change_password": Route(get=SIGNED_IN, post=SIGNED_IN),
    "account_set_password": Route(get=SIGNED_IN, post=SIGNED_IN),
    "account_reset_password": Route(get=ALL, post=ALL),
    "account_reset_password_done": Route(get=ALL),
    "account_reset_password_from_key": Route(get=ALL, post=ALL),  # the key decides, not who shows it
    "account_reset_password_from_key_done": Route(get=ALL),
    "mfa_authenticate": Route(get=SIGNED_IN, post=SIGNED_IN),  # led on; and who has just given the password
    "mfa_reauthenticate": Route(get=SIGNED_IN, post=SIGNED_IN),
    "mfa_index": Route(get=SIGNED_IN),
    "mfa_activate_totp": Route(get=SIGNED_IN, post=SIGNED_IN),
    "mfa_deactivate_totp": Route(get=OWNER, post=OWNER),  # of a second factor, which only that customer has
    "mfa_view_recovery_codes": Route(get=OWNER),
    "mfa_download_recovery_codes": Route(get=OWNER, post=OWNER),  # who it is, is asked first
    "mfa_generate_recovery_codes": Route(get=SIGNED_IN, post=SIGNED_IN),
    "admin:auth_user_password_change": Route(
        get=permission("accounts.change_user"), post=permission("accounts.change_user")
    ),
}

DESK: dict[str, Desk] = {
    "accounts.user": Desk(
        add=permission("accounts.add_user") & permission("accounts.change_user"),
        change=permission("accounts.change_user"),  # of customers; test_rights.py tries the rest
        delete=permission("accounts.delete_user"),
        actions={"delete_selected": permission("accounts.delete_user"), "take_second_factor_away": SUPERUSER},
    ),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """An address of the customer."""
    ada = User.objects.get(email="customer@example.com")
    return {"address_id": sample_rows.row(Address, user=ada).pk}
