"""So many passwords are tried on an account in a while, from wherever they come; then none is looked at.

Browsers that have opened the account before are counted apart, each by itself. docs/decisions/0018 says why.
"""

from django.http import HttpRequest

from mcommerce.accounts import known_browsers
from mcommerce.accounts.models import User
from mcommerce.rate_limits.limits import RateLimit

GUESSES = RateLimit(
    "guesses",
    at_most=10,  # more than anybody mistypes
    seconds=15 * 60,  # long enough to make guessing hopeless, short enough to wait for
    slides=True,
)
STRANGERS = "strangers"


class Guess:
    """A password that somebody is about to try on the account of an e-mail address, which need not exist."""

    def __init__(self, request: HttpRequest, email: str):
        self.who = (_whose(request, email), email.lower())

    def count(self) -> None:
        """Call before the password is looked at. Raises RateLimited: then it is not."""
        GUESSES.hit(self.who)

    def take_back(self) -> None:
        """It was the right one. What others have guessed stays counted."""
        GUESSES.take_back(self.who)


def _whose(request: HttpRequest, email: str) -> str:
    """The name of a browser that knows the account; all other browsers are one."""
    browser = known_browsers.of(request)
    if browser.people:
        user_id = User.objects.filter(email=email).values_list("id", flat=True).first()
        if user_id and browser.knows(user_id):
            return browser.name
    return STRANGERS
