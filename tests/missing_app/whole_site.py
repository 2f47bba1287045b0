"""What the whole site has, each with the app that owns it: for a process that lacks this app to compare."""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from mcommerce.features.installed import addresses, features
from tests.permissions import inventory
from tests.permissions.test_matrix import arguments_of

AN_ID = UUID(int=1)
# What stands in an address. Nothing need be there: without its app the address itself is unknown.
NAMES: dict[str, Any] = {
    **dict.fromkeys(("order_id", "payment_id", "address_id", "alert_id"), AN_ID),
    **dict.fromkeys(("number", "id", "object_id", "content_type_id", "run", "replay", "log_level"), 1),
    **dict.fromkeys(
        ("slug", "feed", "station_id", "contract", "provider", "uidb36", "cause", "group", "action", "wire_type"), "x"
    ),
    **dict.fromkeys(("version", "document", "key", "projection", "step", "unknown"), "x"),
    "app_label": "accounts",
    "name": f"{AN_ID}-card.webp",
}


def inventory_by_owner() -> dict[str, tuple[str, str]]:
    """Each route by its name, with the app that owns it and an address; "" for a route of the site's own."""
    owners = owners_of_routes()
    found = {
        name: (owners.get(name, ""), reverse(name, kwargs=arguments_of(name, pattern, NAMES)))
        for name, pattern in inventory.routes()
    }
    for model in admin.site._registry:
        name = f"admin:{model._meta.label_lower.replace('.', '_')}"
        owner = apps.get_app_config(model._meta.app_label).name
        for page in inventory.OF_A_TABLE:
            args = [] if page in ("changelist", "add") else [1]
            found[f"{name}_{page}"] = owner, reverse(f"{name}_{page}", args=args)
    return found


def owners_of_routes() -> dict[str, str]:
    """The app of each route of a feature, those in the admin beside its tables too."""
    with_addresses = [config for config in features() if getattr(config, "url_prefix", None) is not None]
    found = {}
    for config, resolver in zip(with_addresses, addresses(), strict=True):
        space = f"{resolver.namespace}:" if resolver.namespace else ""
        found |= {name: config.name for name, _pattern in inventory.routes(resolver, space)}
    for name, _pattern in inventory.routes():
        for config in features():
            if name.startswith(f"admin:{config.label}_"):
                found[name] = config.name
    return found
