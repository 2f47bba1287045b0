"""The payment companies that the shop can be paid through, by name."""

from django.utils.module_loading import import_string

from mcommerce.payment.providers.base import Provider

PROVIDERS = {"sandbox": "mcommerce.payment.providers.sandbox.Sandbox"}


class NoSuchProvider(LookupError):
    """No provider has this name."""


def provider_named(name: str) -> Provider:
    """The provider of this name, as the settings describe it. Raises NoSuchProvider."""
    if name not in PROVIDERS:
        raise NoSuchProvider(name)
    provider: Provider = import_string(PROVIDERS[name]).from_settings()
    return provider
