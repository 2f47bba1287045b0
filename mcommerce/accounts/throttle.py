"""Guessing passwords is made slow: so many tries in a while, then none.

A try is written down before the password is looked at, so that guesses sent side by side are counted too.
"""

from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest

from mcommerce.accounts.models import SignInAttempt

SIGN_IN_WINDOW = timedelta(minutes=15)  # long enough to make guessing hopeless, short enough to wait for
SIGN_IN_ATTEMPTS_MAX = 10  # for one e-mail address from one network address: more than anybody mistypes
SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX = 100  # for all e-mail addresses from there: a whole office behind one router
IPV6_PREFIX = 64  # bits; a household has that many addresses to itself, so they count as one


class TooManyAttempts(Exception):
    """No further password is looked at for now."""


def note_attempt(*, address: str, email: str, now: datetime) -> None:
    """Write down that a password is about to be tried. Raises TooManyAttempts; such a try is not counted."""
    SignInAttempt.objects.filter(at__lt=now - SIGN_IN_WINDOW).delete()
    attempt = SignInAttempt.objects.create(address=address, email=email, at=now)
    from_here = SignInAttempt.objects.filter(address=address)
    if (
        from_here.filter(email=email).count() > SIGN_IN_ATTEMPTS_MAX
        or from_here.count() > SIGN_IN_ATTEMPTS_PER_ADDRESS_MAX
    ):
        attempt.delete()
        raise TooManyAttempts(email)


def forget_attempts(*, address: str, email: str) -> None:
    """The password was right."""
    SignInAttempt.objects.filter(address=address, email=email).delete()


def network_address(request: HttpRequest) -> str:
    """Where the request comes from, as far as one household goes."""
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
