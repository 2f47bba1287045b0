"""The visitors of the matrix, and the things they try to get at: those of one customer."""

from dataclasses import dataclass, field
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
    every: dict[str, int]  # permission, by its name
    given: dict[str, frozenset[str]] = field(default_factory=dict)  # to the probes

    def browser(self, name: str) -> Client:
        client = Client(headers={"accept-language": "en"})
        client.cookies.load(self.cookies[name])
        return client

    def trying(self, need: Need) -> list[Visitor]:
        """Visitors of each kind that such a need can tell apart, then staff with just what is needed, and staff with
        everything but one thing of it.
        """
        apps_asked = {one.partition(".")[0] for clause in need.clauses for one in clause}
        kinds: dict[tuple[object, ...], Visitor] = {}
        for visitor in self.visitors.values():
            told = frozenset(one for one in visitor.permissions if one.partition(".")[0] in apps_asked)
            owner = visitor.owner and not need.is_of_staff
            kinds.setdefault((visitor.signed_in, visitor.staff, visitor.superuser, owner, told), visitor)
        every = self.visitors["superuser"].permissions
        just = [_probe(JUST, frozenset(clause[0] for clause in need.clauses))] if need.clauses else []
        return [*kinds.values(), *just, *(_probe(ALL_BUT, every.difference(clause)) for clause in need.clauses)]

    def becomes(self, visitor: Visitor) -> None:
        """Give a probe this visitor's permissions."""
        if visitor.name in self.probes and self.given.get(visitor.name) != visitor.permissions:
            chosen = [self.every[name] for name in visitor.permissions]
            self.probes[visitor.name].user_permissions.set(chosen)
            self.given[visitor.name] = visitor.permissions


def _probe(name: str, permissions: frozenset[str]) -> Visitor:
    return Visitor(name, signed_in=True, staff=True, permissions=permissions)


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
    rows = Permission.objects.values_list("content_type__app_label", "codename", "pk")
    every = {f"{app}.{codename}": number for app, codename, number in rows}
    return Cast({name: _visitor(name, user) for name, user in people.items()}, cookies, probes, every)


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
