"""The app of one command, which compares what the parts of the shop and the payment provider know."""

from django.apps import AppConfig


class ReconcileConfig(AppConfig):
    name = "mcommerce.reconcile"
    verbose_name = "Reconcile"
