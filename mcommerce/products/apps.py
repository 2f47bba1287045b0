"""The products of the shop, and their stock."""

from typing import ClassVar

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProductsConfig(AppConfig):
    name = "mcommerce.products"
    verbose_name = _("Products")
    default_auto_field = "django.db.models.BigAutoField"
    url_prefix: ClassVar = ""
    subjects: ClassVar = "mcommerce.products.services.subjects.find"
    front_page: ClassVar = "products:list"
    staff_groups: ClassVar = {"merchant": ("view_*", "add_product", "change_product")}
