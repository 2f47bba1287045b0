"""Columns of sums for the admin."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from django.contrib import admin

from mcommerce.money.template_filters import money


def money_column(amount: str, description: Any, *, currency: str = "currency") -> Callable[[Any, Any], str]:
    """Return a function for `list_display` that shows a sum. The style sheet needs a name for it that ends in `_money`.

    `amount` names the field with the sum; the column is sorted by it. `currency` names the field with the currency, on
    the same row or a related one: "order.currency".
    """
    currency_of = attrgetter(currency)

    @admin.display(description=description, ordering=amount)
    def shown(_admin: Any, row: Any) -> str:
        sum = getattr(row, amount)
        return "" if sum is None else money(sum, currency_of(row))

    return shown
