"""Who signs in: customers and staff. Other apps know a person by id only."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "mcommerce.accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"
