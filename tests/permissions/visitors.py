"""The visitors of the matrix, and the things they try to get at: those of one customer."""

from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client

from mcommerce.accounts.models import User
from mcommerce.accounts.staff_groups import fill_groups
from tests.permissions.access_needs import PASSWORD, SECRET, Need, Visitor

JUST, ALL_BUT = "staff with just what it needs", "staff with all but one thing it needs"


@dataclass(frozen=True)
class Cast:
    """Everybody, each with the cookies of their browser; and two of the staff who are given permissions as needed."""

    visitors: dict[str, Visitor]
    cookies: dict[str, dict[str, str]]
    probes: dict[str, User]

    def browser(self, name: str) -> Client:
        client = Client(headers={"accept-language": "en"})
        client.cookies.load(self.cookies[name])
        return client

    def trying(self, need: Need) -> list[Visitor]:
        """All visitors, then staff with just what is needed, and staff with everything but one thing of it."""
        visitors = [*self.visitors.values()]
        if need.clauses:
            every = self.visitors["superuser"].permissions
            visitors.append(_probe(JUST, frozenset(clause[0] for clause in need.clauses)))
            visitors += [_probe(ALL_BUT, every.difference(clause)) for clause in need.clauses]
        return visitors

    def becomes(self, visitor: Visitor) -> None:
        """Give a probe this visitor's permissions."""
        if visitor.name in self.probes:
            every = Permission.objects.select_related("content_type")
            chosen = [one for one in every if _named(one) in visitor.permissions]
            self.probes[visitor.name].user_permissions.set(chosen)


def _probe(name: str, permissions: frozenset[str]) -> Visitor:
    return Visitor(name, signed_in=True, staff=True, permissions=permissions)


def _named(one: Permission) -> str:
    return f"{one.content_type.app_label}.{one.codename}"


def everybody() -> Cast:
    for config in apps.get_app_configs():
        fill_groups(sender=config, using="default")
    people: dict[str, User | None] = {
        "anonymous": None,
        "customer": User.objects.create_user("customer@example.com", PASSWORD, name="Ada Lovelace"),
        "other customer": User.objects.create_user("other@example.com", PASSWORD),
        "staff without": User.objects.create_user("without@example.com", PASSWORD, is_staff=True),
        "view-only": User.objects.create_user("viewer@example.com", PASSWORD, is_staff=True),
        "merchant": User.objects.create_user("merchant@example.com", PASSWORD, is_staff=True),
        "operator": User.objects.create_user("operator@example.com", PASSWORD, is_staff=True),
        "superuser": User.objects.create_superuser("root@example.com", PASSWORD),
    }
    for kind in (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES):
        Authenticator.objects.create(
            user=people["customer"], type=kind, data={"secret": SECRET, "seed": SECRET, "used_mask": 0}
        )
    people["view-only"].user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    for name in ("merchant", "operator"):
        people[name].groups.add(Group.objects.get(name=name))
    probes = {
        name: User.objects.create_user(f"{n}@example.com", is_staff=True) for n, name in enumerate((JUST, ALL_BUT))
    }
    cookies = {name: _cookies(user) for name, user in {**people, **probes}.items()}
    return Cast({name: _visitor(name, user) for name, user in people.items()}, cookies, probes)


def _cookies(user: Any) -> dict[str, str]:
    client = Client()
    if user:
        client.force_login(user)
    return {name: morsel.value for name, morsel in client.cookies.items()}


def _visitor(name: str, user: User | None) -> Visitor:
    if user is None:
        return Visitor(name)
    return Visitor(
        name,
        signed_in=True,
        staff=user.is_staff,
        superuser=user.is_superuser,
        owner=name == "customer",
        permissions=frozenset(user.get_all_permissions()),
    )
