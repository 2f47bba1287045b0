"""Template variables about accounts, for every page."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from mcommerce.accounts.models import Address


def address_book(request: HttpRequest) -> dict[str, object]:
    """Return `address_book`: the signed-in person's delivery addresses. Only pages that show them run the query."""
    return {"address_book": SimpleLazyObject(lambda: _addresses_of(request))}


def _addresses_of(request: HttpRequest) -> list[Address]:
    user = getattr(request, "user", None)
    return list(Address.objects.filter(user_id=user.pk)) if user and user.is_authenticated else []
