"""Comparing what the parts of the shop and the payment company know, as an app of this site: it brings a command."""

from django.apps import AppConfig


class ReconcileConfig(AppConfig):
    name = "mcommerce.reconcile"
    verbose_name = "Reconcile"
