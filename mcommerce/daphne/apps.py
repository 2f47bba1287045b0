"""Daphne as an app of this site."""

from django.apps import AppConfig


class DaphneConfig(AppConfig):
    """An app with Daphne's runserver. Daphne's own AppConfig loads Twisted into every process: 0.2 s per start."""

    name = "mcommerce.daphne"
    verbose_name = "Daphne"
