"""A module's tests where no other module of the shop is installed: the test kit of the bus is enough."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_site import ROOT

FILES = {
    "site_settings.py": """
from mcommerce.settings import *

INSTALLED_APPS = ["eventbus", "loyalty"]
MIDDLEWARE, ROOT_URLCONF, urlpatterns = [], __name__, []
AUTH_USER_MODEL = "auth.User"
""",
    "loyalty/__init__.py": "",
    "loyalty/models.py": """
from django.db import models


class Points(models.Model):
    order_id = models.UUIDField(primary_key=True)
    points = models.PositiveIntegerField()
""",
    "loyalty/handlers.py": """
from eventbus import handles
from loyalty.models import Points
from mcommerce.events import OrderCancelled, OrderPaid


@handles(OrderPaid, group="loyalty")
def give(event: OrderPaid) -> None:
    Points.objects.create(order_id=event.order_id, points=event.amount // 100)


@handles(OrderCancelled, group="loyalty-reports")
def fail(event: OrderCancelled) -> None:
    raise ValueError("this group was to be left out")
""",
    "conftest.py": 'pytest_plugins = ["eventbus.testing.fixtures"]',
    "tests/mcommerce/loyalty/test_points.py": """
import pytest
from django.apps import apps
from django.db import transaction

from eventbus import publish
from eventbus.testing import sample, settle
from loyalty.models import Points
from mcommerce.events import OrderCancelled, OrderPaid


def test_nothing_else_is_installed():
    assert [app.name for app in apps.get_app_configs()] == ["eventbus", "loyalty"]


def test_a_paid_order_gives_points(bus):
    paid = sample(OrderPaid, amount=1_900)
    with transaction.atomic():
        publish(paid, sample(OrderCancelled))

    settle(only=["loyalty"])

    assert Points.objects.get(order_id=paid.order_id).points == 19


@pytest.mark.bus_groups("loyalty")
def test_a_story_of_one_group(scenario):
    scenario.publish(sample(OrderPaid, amount=1_900), sample(OrderCancelled))
    scenario.expect(OrderPaid)

    assert Points.objects.get().points == 19


@pytest.mark.bus_groups("royalty")
def test_a_misspelt_mark(scenario):
    raise AssertionError("it never begins")
""",
}


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Path]:
    """A folder with the module, and the bus and the events from here."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path


def test_a_modules_tests_run_without_the_other_modules(module: Path) -> None:
    environment = {"PYTHONPATH": f"{module}:{ROOT}", "VAR_DIR": str(module / "var"), "PATH": "/usr/bin:/bin"}
    command = ["-m", "pytest", "-p", "no:cacheprovider", "--ds=site_settings", "--strict-markers", "-Werror", "tests"]

    done = subprocess.run(
        [sys.executable, *command, "-c", "/dev/null", "--rootdir", str(module)],
        cwd=module,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert re.search(r"\b3 passed, 1 error", done.stdout), done.stdout + done.stderr
    assert "No such group: royalty. Known: loyalty, loyalty-reports." in done.stdout
