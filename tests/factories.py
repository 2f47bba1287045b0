"""Customers and products for tests of any module, made by the services that make them on the site.

Each field is a keyword: `ProductFactory(price=500, pieces=10)`. Nothing that they publish is handled before `settle()`.
"""

from typing import Any

import factory

from eventbus import clock
from mcommerce.accounts.models import User
from mcommerce.products.models import Product
from mcommerce.products.services import catalogue, stock


class CustomerFactory(factory.Factory):
    """A customer whose e-mail address is verified. Without `password` they sign in by `client.force_login` alone."""

    class Meta:
        model = User

    email = factory.Sequence("ada{}@example.com".format)
    name = "Ada Lovelace"
    language = "en"
    password: str | None = None

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **fields: Any) -> User:
        customer = model_class.objects.create_user(**fields)
        customer.trust_email()
        return customer


class ProductFactory(factory.Factory):
    """A product for sale, with `pieces` in stock."""

    class Meta:
        model = Product

    sku = factory.Sequence("VASE-{}".format)
    slug = factory.LazyAttribute(lambda made: made.sku.lower())
    title = factory.LazyFunction(lambda: {"fr": "Vase", "en": "Vase"})
    price = 1_900
    currency = "EUR"
    tax_rate = 2_000
    pieces = 2

    @classmethod
    def _create(cls, model_class: type[Product], *args: Any, pieces: int, **fields: Any) -> Product:
        product = model_class(**fields)
        catalogue.save_product(product=product, now=clock.now())
        if pieces:
            stock.receive_stock(product_id=product.id, quantity=pieces, now=clock.now())
        catalogue.publish_product(product_id=product.id, now=clock.now())
        return model_class.objects.get(id=product.id)  # with what the services wrote
