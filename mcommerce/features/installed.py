"""The installed features: apps of ours that have pages or handlers, and the parts that the site takes from each.

INSTALLED_APPS is the only list of them. The rest is in the feature itself, mostly in its AppConfig:

- `url_prefix`: where the addresses of its `urls.py` begin, such as "loyalty/".
- `front_page`: the URL name of a page that may stand in for the front page, where no feature answers at `/`.
- `context_processors`: dotted names of template variables for every page.
- `staff_groups`: the permissions that each group of staff gets.
- `problems`: the dotted name of a function that returns its faults for the operator's overview (`mcommerce/overview`).
- `subjects`: the dotted name of a function that finds its things for the operator's journeys: it takes the text of a
  search, and yields `eventbus.journeys.subjects.Subject`.
- `contact_of`: the dotted name of a function of the app that keeps accounts: it takes the text of an account's id, and
  returns the address and the language in which to write to its owner.
- `repeats_harmless`: its forms that may be carried out twice, or in no transaction: {beginning of the address below
  `url_prefix`: reason}. `mcommerce/web/resubmission.py` carries out every other form once.
- `routing.py`: the sockets. Before those in `sockets_with_user` the session and the user are loaded, and before those
  in `sockets_for_all` nothing is.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import AppConfig, apps
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import module_has_submodule

PRODUCTS = ("mcommerce", "stations")  # packages of ours that have features


def features() -> list[AppConfig]:
    """Return the AppConfigs of the features, in the order of INSTALLED_APPS."""
    ours = (config for config in apps.get_app_configs() if config.name.partition(".")[0] in PRODUCTS)
    return [config for config in ours if _has(config, "urls") or _has(config, "handlers")]


def addresses() -> list[URLPattern | URLResolver]:
    """Return the addresses of every feature, each below its `url_prefix`."""
    found = ((getattr(config, "url_prefix", None), config) for config in features())
    return [path(prefix, include(f"{config.name}.urls")) for prefix, config in found if prefix is not None]


def repeats_harmless() -> dict[str, str]:
    """Return where the addresses begin whose forms the site does not carry out once, each with the reason."""
    found = ((getattr(config, "url_prefix", None), getattr(config, "repeats_harmless", {})) for config in features())
    return {
        f"/{prefix}{beginning}": reason
        for prefix, forms in found
        if prefix is not None
        for beginning, reason in forms.items()
    }


def sockets(name: str) -> list[URLPattern]:
    """Return the sockets that the features list under `name` in their `routing.py`."""
    return [pattern for module in _modules("routing") for pattern in getattr(module, name, [])]


def declared(name: str) -> list[Any]:
    """Return the values of the attribute `name` of all AppConfigs that have it."""
    return [value for config in apps.get_app_configs() if (value := getattr(config, name, None))]


def _modules(name: str) -> Iterator[ModuleType]:
    for config in features():
        if _has(config, name):
            yield import_module(f"{config.name}.{name}")


@cache  # an installed app gets no module while it runs, and each form asks
def _has(config: AppConfig, name: str) -> bool:
    return module_has_submodule(config.module, name)
