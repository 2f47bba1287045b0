"""Daphne as an app of this site."""

from django.apps import AppConfig


class DaphneConfig(AppConfig):
    """Its runserver. Its own AppConfig loads Twisted into every process: a fifth of a second at each start."""

    name = "mcommerce.daphne"
    verbose_name = "Daphne"
