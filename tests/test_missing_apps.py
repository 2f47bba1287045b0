"""Each app can be left out: the rest of the site goes on, without links to it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcommerce.features import installed
from tests.free_ports import free_ports
from tests.missing_app import whole_site

pytestmark = pytest.mark.sites

ROOT = Path(__file__).resolve().parent.parent
QUIETLY = ("-p", "no:cacheprovider", "--show-capture=no", "--tb=short")
NEEDED, COMMAND = "mcommerce.accounts", "mcommerce.reconcile"  # an app of a command only is no feature
APPS = sorted({one.name for one in installed.features()} - {NEEDED} | {COMMAND})
# The tests of other apps that run without an app. Each app's own tests stand beside one whose events it handles, where
# there is one. A test that also needs a page of the missing app is marked `needs_app`, and left out.
CARTS, PAYING = "tests/mcommerce/orders/test_", "tests/mcommerce/payment/test_"
CHOSEN = {
    "mcommerce.products": [*(CARTS + name for name in ("cart.py", "offers.py", "mail.py", "what_modules_see.py"))],
    "mcommerce.orders": [
        *(PAYING + name for name in ("admin.py", "cancelling.py", "paying.py", "refunds.py", "webhooks.py")),
        "tests/mcommerce/products",
    ],
    "mcommerce.payment": [
        *(CARTS + name for name in ("checkout.py", "desk.py", "order_page.py", "returns.py", "walk.py")),
    ],
    "stations": ["tests/mcommerce/accounts", "--ignore=tests/mcommerce/accounts/test_guessing.py"],  # uses both
    COMMAND: [
        *("tests/stations/feeds", "tests/stations/test_dashboard.py", "tests/stations/test_live_state.py"),
        *("tests/stations/test_poller.py", "tests/stations/test_producer.py", "tests/stations/test_recording.py"),
    ],
}


@pytest.mark.parametrize("app", APPS)
def test_the_rest_of_the_site_goes_on_without(app: str, tmp_path: Path) -> None:
    left_out = ("-m", f"not needs_app(name='{app}')")
    done = run(app, tmp_path, "-m", "pytest", "-q", *QUIETLY, *left_out, "tests/missing_app/walk.py", *beside(app))

    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]


def beside(app: str) -> list[str]:
    """The chosen tests. Those of a feature that no row names run without the app of the command."""
    named = " ".join(one for chosen in CHOSEN.values() for one in chosen)
    folders = [f"tests/{config.name.replace('.', '/')}" for config in installed.features()]
    new = [one for one in folders if one not in named and (ROOT / one).exists()]
    return CHOSEN.get(app, []) + (new if app == COMMAND else [])


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
    file.write_text(json.dumps(whole_site.inventory_by_owner()))
    return file
