"""The payment companies that the shop can be paid through, by name."""

from django.utils.module_loading import import_string

from mcommerce.payment.providers.base import Provider

PROVIDERS = {"sandbox": "mcommerce.payment.providers.sandbox.Sandbox"}


class NoSuchProvider(LookupError):
    """No provider has this name."""


def provider_named(name: str, *, by_visitor: bool = False) -> Provider:
    """Return the provider of this name, as the settings describe it. Raises NoSuchProvider.

    `by_visitor`: a page waits for it, so it has less time, and concurrent calls are limited.
    """
    if name not in PROVIDERS:
        raise NoSuchProvider(name)
    provider: Provider = import_string(PROVIDERS[name]).from_settings(by_visitor=by_visitor)
    return provider
