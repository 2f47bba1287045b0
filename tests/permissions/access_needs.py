"""The words of the table: what a route, a socket or an action needs, and whom that lets in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from django.test import Client

Form = dict[str, Any]  # or the arguments of Client.post, by the key SENT
PASSWORD = "never-guess-a-hamster"  # of everybody who has one
SECRET = "JBSWY3DPEHPK3PXP"  # of the customer's second factor
SENT = "sent as it is"


@dataclass(frozen=True)
class Visitor:
    """Somebody who comes: who they are, and what they may."""

    name: str
    signed_in: bool = False
    staff: bool = False
    superuser: bool = False
    owner: bool = False  # of the order and the address that are tried
    permissions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Need:
    """Staff with one permission of each of `clauses`; or the others that are named."""

    clauses: tuple[tuple[str, ...], ...] = ()
    all: bool = False
    signed_in: bool = False
    owner: bool = False
    staff: bool = False
    superuser: bool = False
    no_method: bool = False  # the view knows no such method, whoever asks

    def lets_in(self, visitor: Visitor) -> bool:
        return (
            self.all
            or (self.signed_in and visitor.signed_in)
            or (self.owner and visitor.owner)
            or (self.staff and visitor.staff)
            or (self.superuser and visitor.superuser)
            or bool(self.clauses and visitor.staff and self.met_by(visitor.permissions))
        )

    def met_by(self, permissions: Iterable[str]) -> bool:
        return all(not {*clause}.isdisjoint(permissions) for clause in self.clauses)

    def __and__(self, other: "Need") -> "Need":
        """Staff who meet both. Other needs cannot be joined: the result could not say whom it lets in."""
        assert self.is_of_staff and other.is_of_staff, "& joins only STAFF and permissions"
        clauses = (*self.clauses, *(clause for clause in other.clauses if clause not in self.clauses))
        return Need(clauses=clauses, staff=not clauses)

    @property
    def is_of_staff(self) -> bool:
        """Whether it is STAFF, or needs permissions and names nobody who does without."""
        return replace(self, clauses=()) == Need(staff=not self.clauses)


def permission(*any_of: str) -> Need:
    """Staff with at least one of these."""
    return Need(clauses=(any_of,))


def owner_or(*any_of: str) -> Need:
    """Whose it is, and staff with at least one of these."""
    return Need(clauses=(any_of,), owner=True)


ALL = Need(all=True)
SIGNED_IN = Need(signed_in=True)
OWNER = Need(owner=True)
STAFF = Need(staff=True)
SUPERUSER = Need(superuser=True)
NOBODY = Need()
NO_METHOD = Need(no_method=True)


FRONT = ("products:list", "front-page")  # what answers at /, with a catalogue and without


@dataclass(frozen=True)
class Route:
    """A page: what looking at it needs, and what posting to it needs.

    `data`: a form that is accepted. A function makes it, in the visitor's browser, where steps must come before.
    `parts`: query strings with which a script fetches a part of the page. They need what the page needs.
    `leads_to`: names of the routes that GET may redirect to, beside the sign-in page.
    """

    get: Need
    post: Need = NO_METHOD
    data: Form | Callable[[Client], Form] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Desk:
    """A table at the desk. `see` is by default Django's: the permission to view, or to change.

    `data`: what the forms that add and change a row accept. `rows`: by action, the values of a row that it is for.
    """

    see: Need | None = None
    add: Need = NOBODY
    change: Need = NOBODY
    delete: Need = NOBODY
    actions: dict[str, Need] = field(default_factory=dict)
    data: Form = field(default_factory=dict)
    rows: dict[str, Form] = field(default_factory=dict)
