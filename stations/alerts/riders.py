"""The owners of alerts: how to write to one, and forgetting one. The stations know an account by its id alone."""

from typing import Any, NamedTuple, Protocol

from django.apps import apps
from django.utils.module_loading import import_string

from stations.models import Alert


class Contact(NamedTuple):
    """The confirmed address of an account, and the language to write in."""

    email: str
    language: str


class Asked(Protocol):
    """A function of the app that keeps the accounts. It returns "" as the address if nobody may write there."""

    def __call__(self, account_id: str) -> tuple[str, str]: ...


def contact_of(owner: str) -> Contact | None:
    """Return how to write to this account now, or None: it is gone, closed, or its address is not confirmed."""
    ask = _asked()
    email, language = ask(owner) if ask else ("", "")
    return Contact(email, language) if email else None


def are_known() -> bool:
    """Return whether an app of this site keeps accounts. Without one there are no alerts."""
    return _asked() is not None


def _asked() -> Asked | None:
    """Return the function that an app names as `contact_of` in its AppConfig."""
    named = (getattr(config, "contact_of", "") for config in apps.get_app_configs())
    found = next(filter(None, named), None)
    return import_string(found) if found else None


def forget(*, instance: Any, **told: Any) -> None:
    """Delete the alerts of an account, in the transaction that deletes the account."""
    Alert.objects.filter(owner=str(instance.pk)).delete()
