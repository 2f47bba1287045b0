from typing import ClassVar

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentConfig(AppConfig):
    name = "mcommerce.payment"
    label = "payment"
    verbose_name = _("Payments")
    default_auto_field = "django.db.models.BigAutoField"
    url_prefix: ClassVar = "payment/"
    problems: ClassVar = "mcommerce.payment.services.webhook_refusals.problems"
    subjects: ClassVar = "mcommerce.payment.services.subjects.find"
    repeats_harmless: ClassVar = {
        "": "a view calls the provider, which no transaction may wait for; an order has one attempt at a time"
    }
    staff_groups: ClassVar = {"merchant": ("view_*", "change_payment")}
