"""A rate limit on password guesses for one account, from all networks together. Above it, no password is checked.

A browser that has signed in to the account before has a count of its own. All other browsers share one count.
docs/decisions/0018 gives the reasons.
"""

from django.http import HttpRequest

from mcommerce.accounts.models import User
from mcommerce.accounts.sign_in import known_browsers
from mcommerce.rate_limits.rate_limit import RateLimit

GUESSES = RateLimit(
    "guesses",
    at_most=10,  # more than anybody mistypes
    seconds=15 * 60,  # long enough to make guessing hopeless, short enough to wait for
    slides=True,
)
UNKNOWN_BROWSERS = "strangers"


class Guess:
    """A password about to be tried on the account of an e-mail address, which need not exist."""

    def __init__(self, request: HttpRequest, email: str):
        self.who = (_whose(request, email), email.lower())

    def count(self) -> None:
        """Count the guess. Raises RateLimited after too many guesses: then the password must not be checked."""
        GUESSES.hit(self.who)

    def take_back(self) -> None:
        """Take back the guess after a correct password. Guesses of others stay counted."""
        GUESSES.take_back(self.who)


def _whose(request: HttpRequest, email: str) -> str:
    """Return the name of a browser that knows the account. All other browsers share one name."""
    browser = known_browsers.of(request)
    if browser.people:
        user_id = User.objects.filter(email=email).values_list("id", flat=True).first()
        if user_id and browser.knows(user_id):
            return browser.name
    return UNKNOWN_BROWSERS
