"""Each app can be left out: the rest of the site goes on, without links to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcommerce.features import installed
from tests.live_site import free_ports

ROOT = Path(__file__).resolve().parent.parent
NEEDED, COMMAND = "mcommerce.accounts", "mcommerce.reconcile"  # an app of a command only is no feature
APPS = sorted({one.name for one in installed.features()} - {NEEDED} | {COMMAND})
# Beside an app that is left out, light tests of another one that must not need it.
OTHERS = {
    "mcommerce.products": ["tests/mcommerce/payment/test_limits.py"],
    "mcommerce.orders": ["tests/mcommerce/products/test_services.py"],
    "mcommerce.payment": ["tests/mcommerce/orders/test_cart.py"],
    "stations": ["tests/mcommerce/accounts/test_account.py"],
}


@pytest.mark.parametrize("app", APPS)
def test_the_rest_of_the_site_goes_on_without(app: str, tmp_path: Path) -> None:
    tests = ["tests/missing_app/walk.py", *OTHERS.get(app, [])]
    done = run(app, tmp_path, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)

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
        "VAR_DIR": str(folder / "var"),
        "SANDBOX_PROVIDER_URL": f"http://127.0.0.1:{provider}",
        "SIMULATOR_URL": f"http://127.0.0.1:{simulator}",
    }
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
