"""A signed cookie with the accounts that a browser has opened. Guesses by strangers do not lock these people out."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

COOKIE = "known_browser"
SALT = "mcommerce.accounts.known_browsers"
KNOWN_FOR = timedelta(days=365)  # a visit a year keeps a browser known
PEOPLE_MAX = 5  # of one browser, the latest first: a household


class Browser(NamedTuple):
    """The cookie's content: a random name of the browser, and ids of people who have signed in there."""

    name: str
    people: tuple[str, ...]

    def knows(self, user_id: UUID) -> bool:
        return user_id.hex in self.people


def of(request: HttpRequest) -> Browser:
    """Return the browser of the request: a new one that knows nobody, unless it sends a cookie that we signed."""
    try:
        name, people = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=KNOWN_FOR)
    except (signing.BadSignature, ValueError):
        return Browser(uuid4().hex, ())
    return Browser(name, tuple(people))


def remember(request: HttpRequest, response: HttpResponse, user_id: UUID) -> None:
    """Record in the browser's cookie that this person has signed in there."""
    browser = of(request)
    people: Iterable[str] = dict.fromkeys([user_id.hex, *browser.people])
    response.set_cookie(
        COOKIE,
        signing.dumps([browser.name, list(people)[:PEOPLE_MAX]], salt=SALT),
        max_age=KNOWN_FOR,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
