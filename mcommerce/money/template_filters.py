"""{% load money %}: `{{ order.total|money:order.currency }}` and `{{ line.tax_rate|percent }}`."""

from django import template
from django.utils.translation import get_language

from mcommerce.money import format_money, format_percent

register = template.Library()


@register.filter
def money(amount: int, currency: str) -> str:
    """Return a sum of minor units as the reader's language writes it."""
    return format_money(amount, currency, get_language() or "en")


@register.filter
def percent(basis_points: int) -> str:
    """Return basis points as the reader's language writes a percentage."""
    return format_percent(basis_points, get_language() or "en")
