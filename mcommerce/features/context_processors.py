"""Template variables for every page: those of the installed features."""

from typing import Any

from django.http import HttpRequest
from django.utils.module_loading import import_string

from mcommerce.features.installed import declared


def of_each_feature(request: HttpRequest) -> dict[str, Any]:
    """Return the variables of every feature's `context_processors`."""
    found: dict[str, Any] = {}
    for names in declared("context_processors"):
        for name in names:
            found |= import_string(name)(request)
    return found
