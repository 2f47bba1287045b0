"""Carts, and orders from placed to delivered."""

from typing import ClassVar

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    name = "mcommerce.orders"
    label = "orders"
    verbose_name = _("Orders")
    default_auto_field = "django.db.models.BigAutoField"
    url_prefix: ClassVar = ""
    subjects: ClassVar = "mcommerce.orders.services.subjects.find"
    repeats_harmless: ClassVar = {
        "cart/": "a cart stores the request ids of its last additions; the other forms set a value",
        "checkout/": "the form has a token, and two orders never have the same one",
        "orders/": "an order is cancelled once, and its lines are lowered to what is left",
    }
    context_processors: ClassVar = ("mcommerce.orders.context_processors.cart_count",)
    staff_groups: ClassVar = {"merchant": ("view_*", "change_order", "cancel_order", "ship_order", "refund_order")}

    def ready(self) -> None:
        from mcommerce.orders.carts import cart_merge  # noqa: F401  # connects to Django's user_logged_in
