"""Nobody at the desk makes themselves more than they are; and what the groups of staff may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from mcommerce import staff_permissions
from mcommerce.accounts.models import User

PEOPLE = ("view_user", "add_user", "change_user", "delete_user", "view_address", "change_address")
GROUPS = ("view_group", "add_group", "change_group", "delete_group")
NO_LINES = {"addresses-TOTAL_FORMS": 0, "addresses-INITIAL_FORMS": 0}


@pytest.fixture
def clerk(db: None) -> User:
    """Staff who may change people and groups, and is no superuser."""
    clerk = User.objects.create_user("clerk@example.com", "first password", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=(*PEOPLE, *GROUPS)))
    return clerk


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@example.com", "first password")


@pytest.fixture
def desk(clerk: User) -> Client:
    client = Client()
    client.force_login(clerk)
    return client


def change(client: Client, person: User, **fields: Any) -> int:
    sent = {"email": person.email, "name": person.name, "language": "", "is_active": "on", **NO_LINES, **fields}
    return client.post(reverse("admin:accounts_user_change", args=[person.pk]), sent).status_code


def rights_of(person: User) -> tuple[bool, bool, int, int]:
    now = User.objects.get(pk=person.pk)
    return now.is_staff, now.is_superuser, now.groups.count(), now.user_permissions.count()


def all_rights() -> dict[str, Any]:
    group = Group.objects.get_or_create(name="owners")[0]
    every = list(Permission.objects.values_list("pk", flat=True))
    return {"is_staff": "on", "is_superuser": "on", "groups": [group.pk], "user_permissions": every}


def test_staff_who_may_change_people_do_not_make_themselves_superuser(desk: Client, clerk: User) -> None:
    before = rights_of(clerk)

    change(desk, clerk, **all_rights())

    assert rights_of(clerk) == before


def test_they_make_no_customer_staff_and_still_mend_a_name(desk: Client, ada: User) -> None:
    change(desk, ada, name="Ada King", **all_rights())

    assert User.objects.get(pk=ada.pk).name == "Ada King"
    assert rights_of(ada) == (False, False, 0, 0)


@pytest.mark.parametrize("superuser", [True, False])
def test_they_reset_no_password_of_staff_nor_change_their_address_nor_delete_them(
    desk: Client, root: User, superuser: bool
) -> None:
    User.objects.filter(pk=root.pk).update(is_superuser=superuser)
    password = reverse("admin:auth_user_password_change", args=[root.pk])
    new = {"usable_password": "true", "password1": "their own choice 1", "password2": "their own choice 1"}
    chosen = {"action": "delete_selected", "_selected_action": [str(root.pk)], "post": "yes"}

    assert desk.post(password, new).status_code == 403
    assert change(desk, root, email="clerk2@example.com") == 403
    assert desk.post(reverse("admin:accounts_user_delete", args=[root.pk]), {"post": "yes"}).status_code == 403
    desk.post(reverse("admin:accounts_user_changelist"), chosen)

    kept = User.objects.get(pk=root.pk)
    assert kept.check_password("first password")
    assert kept.email == "root@example.com"


def test_they_change_no_group_that_they_are_in(desk: Client, clerk: User) -> None:
    group = Group.objects.create(name="clerks")
    clerk.groups.add(group)
    every = list(Permission.objects.values_list("pk", flat=True))

    answer = desk.post(reverse("admin:auth_group_change", args=[group.pk]), {"name": "clerks", "permissions": every})

    assert answer.status_code == 403
    assert group.permissions.count() == 0


def test_a_superuser_gives_and_takes_rights(root: User, ada: User) -> None:
    client = Client()
    client.force_login(root)

    change(client, ada, **all_rights())
    assert rights_of(ada)[:3] == (True, True, 1)

    change(client, ada)
    assert rights_of(ada) == (False, False, 0, 0)


def test_who_is_in_the_history_is_not_deleted_and_the_history_stays(root: User, ada: User, clerk: User) -> None:
    staff_permissions.record(clerk, ada, "Looked at.")
    client = Client()
    client.force_login(root)
    chosen = {"action": "delete_selected", "_selected_action": [str(clerk.pk)], "post": "yes"}

    refused = client.post(reverse("admin:accounts_user_delete", args=[clerk.pk]), {"post": "yes"})
    client.post(reverse("admin:accounts_user_changelist"), chosen)

    assert refused.status_code == 403
    assert LogEntry.objects.get(change_message="Looked at.").user == clerk


# --- groups --------------------------------------------------------------------------------------------------------

MAY_CHANGE = {
    "merchant": {
        *("products.add_product", "products.change_product"),
        *("orders.change_order", "orders.cancel_order", "orders.ship_order", "orders.refund_order"),
        "payment.change_payment",
    },
    "operator": {
        *("stations.change_pollplan", "stations.rule_station", "stations.delete_remark"),
        "eventbus.operate",
    },
    "bus observer": set(),
    "bus reader": set(),
    "bus administrator": {"eventbus.operate", "eventbus.administer"},
}
MAY_SEE = {"merchant": {"products", "orders", "payment"}, "operator": {"stations", "eventbus"}}
MAY_SEE |= dict.fromkeys(("bus observer", "bus reader", "bus administrator"), {"eventbus"})


@pytest.fixture
def migrated(db: None) -> Callable[[str], set[str]]:
    """What a group may after `migrate`."""
    call_command("migrate", verbosity=0)

    def of(name: str) -> set[str]:
        return {
            f"{app}.{codename}"
            for app, codename in Group.objects.get(name=name).permissions.values_list(
                "content_type__app_label", "codename"
            )
        }

    return of


@pytest.mark.parametrize("name", MAY_CHANGE)
def test_a_group_sees_its_part_and_changes_what_is_its_work(migrated: Callable[[str], set[str]], name: str) -> None:
    may = migrated(name)
    seen = {one for one in may if one.partition(".")[2].startswith("view_")}

    here = "tests/mcommerce/accounts/test_rights.py: {} does not say what the AppConfigs' staff_groups say"
    changes = {one for one in MAY_CHANGE[name] if one.partition(".")[0] in apps.app_configs}
    assert may - seen == changes, here.format("MAY_CHANGE")
    sees = MAY_SEE[name] & apps.app_configs.keys()
    assert {one.partition(".")[0] for one in seen} == sees, here.format("MAY_SEE")


def test_an_observer_of_the_bus_sees_every_table_and_no_payload(migrated: Callable[[str], set[str]]) -> None:
    tables = {f"eventbus.view_{model._meta.model_name}" for model in apps.get_app_config("eventbus").get_models()}

    assert migrated("bus observer") == tables
    assert migrated("bus reader") == tables | {"eventbus.view_payload"}


def test_migrating_again_keeps_what_the_owner_added(migrated: Callable[[str], set[str]]) -> None:
    Group.objects.get(name="merchant").permissions.add(Permission.objects.get(codename="view_user"))

    call_command("migrate", verbosity=0)

    assert "accounts.view_user" in migrated("merchant")
