"""Columns of sums for the admin."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.contrib import admin

from mcommerce.money.template_filters import money


def money_column(amount: str, description: Any, *, currency: str = "currency") -> Callable[[Any, Any], str]:
    """Return an admin column of sums, sorted by the amount. Its name ends in `_money`, for the style sheet.

    `currency` may lead to another row: "order.currency".
    """
    currency_of = attrgetter(currency)

    @admin.display(description=description, ordering=amount)
    def shown(_admin: Any, row: Any) -> str:
        sum = getattr(row, amount)
        return "" if sum is None else money(sum, currency_of(row))

    return shown
