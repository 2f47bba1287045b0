"""Each app can be left out: the rest of the site goes on, without links to it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from mcommerce.features import installed
from tests.free_ports import free_ports
from tests.permissions import inventory
from tests.permissions.test_matrix import arguments_of

ROOT = Path(__file__).resolve().parent.parent
QUIETLY = ("-n0", "-p", "no:cacheprovider", "--show-capture=no", "--tb=short")
NEEDED, COMMAND = "mcommerce.accounts", "mcommerce.reconcile"  # an app of a command only is no feature
CHEAP = "stations"  # the default run leaves out this one, and walks
APPS = sorted({one.name for one in installed.features()} - {NEEDED} | {COMMAND})
# The tests of other apps that run without an app whose events they handle. A test that also needs a page of the missing
# app is marked `needs_app`, and left out.
CARTS, PAYING = "tests/mcommerce/orders/test_", "tests/mcommerce/payment/test_"
CHOSEN = {
    "mcommerce.products": [f"{CARTS}{name}.py" for name in ("cart", "offers", "mail", "what_modules_see")],
    "mcommerce.orders": [
        *(f"{PAYING}{name}.py" for name in ("admin", "cancelling", "paying", "refunds", "webhooks")),
        "tests/mcommerce/products",
    ],
    "mcommerce.payment": [f"{CARTS}{name}.py" for name in ("checkout", "desk", "order_page", "returns", "walk")],
    "stations": ["tests/mcommerce/accounts", "--ignore=tests/mcommerce/accounts/test_guessing.py"],  # uses both
}
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


def test_the_rest_of_the_site_can_be_walked_without_an_app(tmp_path: Path) -> None:
    goes_on_without(CHEAP, tmp_path)


@pytest.mark.sites
@pytest.mark.parametrize("app", APPS)
def test_the_rest_of_the_site_goes_on_without(app: str, tmp_path: Path) -> None:
    goes_on_without(app, tmp_path, *CHOSEN.get(app, []))


def goes_on_without(app: str, folder: Path, *tests: str) -> None:
    left_out = ("-m", f"not (needs_app(name='{app}') or cluster or databases or days or sites)")
    done = run(app, folder, "-m", "pytest", "-q", *QUIETLY, *left_out, "tests/missing_app/test_walk.py", *tests)

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]


def test_reconcile_says_what_it_misses(tmp_path: Path) -> None:
    done = run("mcommerce.payment", tmp_path, "manage.py", "reconcile")

    assert done.returncode == 2
    assert "Nothing was compared: mcommerce.payment is not in INSTALLED_APPS." in done.stderr


def run(app: str, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python on the site without `app`."""
    provider, simulator = free_ports(2)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.missing_app.settings",
        "MISSING_APP": app,
        "WHOLE_SITE": str(whole_site_in(folder)),
        "VAR_DIR": str(folder / "var"),
        "SANDBOX_PROVIDER_URL": f"http://127.0.0.1:{provider}",
        "SIMULATOR_URL": f"http://127.0.0.1:{simulator}",
    }
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)


def whole_site_in(folder: Path) -> Path:
    """A file that says what the site has with all of its apps, and which of them owns it."""
    file = folder / "whole_site.json"
    file.write_text(json.dumps(inventory_by_owner()))
    return file


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
    with_addresses = [config for config in installed.features() if getattr(config, "url_prefix", None) is not None]
    found = {}
    for config, resolver in zip(with_addresses, installed.addresses(), strict=True):
        space = f"{resolver.namespace}:" if resolver.namespace else ""
        found |= {name: config.name for name, _pattern in inventory.routes(resolver, space)}
    for name, _pattern in inventory.routes():
        for config in installed.features():
            if name.startswith(f"admin:{config.label}_"):
                found[name] = config.name
    return found
