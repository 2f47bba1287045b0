"""Prices as people read them."""

from decimal import Decimal

from django.utils import formats
from django.utils.translation import get_language

NO_BREAK = "\N{NO-BREAK SPACE}"
SIGNS = {"EUR": "€", "GBP": "£", "USD": "$"}


def written(minor_units: int, currency: str) -> str:
    """2200 EUR as "€22.00", in French "22,00 €"; never broken over two lines."""
    figure = formats.number_format(Decimal(minor_units).scaleb(-2), decimal_pos=2, use_l10n=True, force_grouping=True)
    sign = SIGNS.get(currency, currency)
    if (get_language() or "").startswith("fr"):
        return f"{figure}{NO_BREAK}{sign}"
    return f"{sign}{figure}" if currency in SIGNS else f"{sign}{NO_BREAK}{figure}"
