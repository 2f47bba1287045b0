"""Sums as people write them."""

from decimal import Decimal

from django import template
from django.utils.formats import number_format
from django.utils.translation import get_language

register = template.Library()

SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}  # any other currency is shown by its code
MINOR_DIGITS = {"JPY": 0, "KRW": 0}  # ISO 4217: two where nothing else is said


@register.filter
def money(amount: int, currency: str) -> str:
    """Minor units in the reader's language: "€1,234.50" in English, "1 234,50 €" in French."""
    digits = MINOR_DIGITS.get(currency, 2)
    number = number_format(Decimal(amount).scaleb(-digits), decimal_pos=digits, use_l10n=True, force_grouping=True)
    symbol = SYMBOLS.get(currency)
    if (get_language() or "").startswith("en"):
        return f"{symbol}{number}" if symbol else f"{currency}\N{NO-BREAK SPACE}{number}"
    return f"{number}\N{NO-BREAK SPACE}{symbol or currency}"


@register.filter
def percent(basis_points: int) -> str:
    """Basis points in the reader's language: "20%" in English, "5,5 %" in French."""
    number = (Decimal(basis_points) / 100).normalize()
    space = "" if (get_language() or "").startswith("en") else "\N{NO-BREAK SPACE}"
    return f"{number_format(f'{number:f}', use_l10n=True)}{space}%"
