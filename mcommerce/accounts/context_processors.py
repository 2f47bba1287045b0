"""What every page may show of the accounts."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from mcommerce.accounts.models import Address


def address_book(request: HttpRequest) -> dict[str, object]:
    """`address_book`: where the person who is signed in has things sent. Looked up by the pages that show it alone."""
    return {"address_book": SimpleLazyObject(lambda: _addresses_of(request))}


def _addresses_of(request: HttpRequest) -> list[Address]:
    user = getattr(request, "user", None)
    return list(Address.objects.filter(user_id=user.pk)) if user and user.is_authenticated else []
