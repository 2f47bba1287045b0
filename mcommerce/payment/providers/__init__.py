"""The payment providers through which the shop can be paid, by name."""

from django.utils.module_loading import import_string

from mcommerce.payment.providers.base import Provider

PROVIDERS = {"sandbox": "mcommerce.payment.providers.sandbox.Sandbox"}


class NoSuchProvider(LookupError):
    """No provider has this name."""


def provider_named(name: str, *, by_visitor: bool = False) -> Provider:
    """Return a client of the provider `name`, configured by the settings. Raises NoSuchProvider.

    `by_visitor`: a page waits for the provider, so its calls have less time, and only few may run at once.
    """
    if name not in PROVIDERS:
        raise NoSuchProvider(name)
    provider: Provider = import_string(PROVIDERS[name]).from_settings(by_visitor=by_visitor)
    return provider
