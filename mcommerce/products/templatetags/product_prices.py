"""{% load product_prices %}: `{{ product|price_tag }}`."""

from django import template

from mcommerce.products.models import Product
from mcommerce.products.money import written

register = template.Library()


@register.filter
def price_tag(product: Product) -> str:
    """The product's price with its currency, in the reader's language."""
    return written(product.price, product.currency)
