"""People who sign in: customers and staff. Other apps know a person by id only."""

from typing import ClassVar

from allauth.account.signals import email_confirmed
from django.apps import AppConfig
from django.db.models.signals import post_delete, post_migrate
from django.utils.translation import gettext_lazy as _

_COUNTED = "allauth counts attempts and hashes passwords, which must hold no locks; a second one changes nothing more"


class AccountsConfig(AppConfig):
    name = "mcommerce.accounts"
    verbose_name = _("Accounts")
    default_auto_field = "django.db.models.BigAutoField"
    url_prefix: ClassVar = "accounts/"
    repeats_harmless: ClassVar = {
        "sign-in/": _COUNTED,
        "sign-out/": "who is signed out stays signed out",
        "register/": _COUNTED,
        "confirm/": _COUNTED,
        "email/": _COUNTED,
        "password/": _COUNTED,
        "second-factor/": _COUNTED,
    }
    contact_of: ClassVar = "mcommerce.accounts.services.contacts.contact_of"
    context_processors: ClassVar = ("mcommerce.accounts.context_processors.address_book",)

    def ready(self) -> None:
        from mcommerce.accounts.models import User
        from mcommerce.accounts.services import contacts
        from mcommerce.accounts.staff_groups import fill_groups

        post_migrate.connect(fill_groups)
        email_confirmed.connect(contacts.publish_verified)
        post_delete.connect(contacts.publish_deleted, sender=User)
