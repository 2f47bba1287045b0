"""What every test stands on: the bus's fixtures, the browser's, Kafka's, and a database that no other process knows."""

import gc
import os
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import connections
from django.test import TransactionTestCase, override_settings
from django.utils import translation

from outside.circuit_breaker import forget

gc.disable()  # while everything is loaded, which is kept: each look at it finds more to look at, and nothing to free
pytest_plugins = [
    "eventbus.testing.fixtures",
    "tests.shop_fixtures",
    "tests.browser.plugin",
    "tests.kafka.plugin",
    "tests.databases",
    "tests.schema_validation",
]


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: half of what they do is waiting for a broker, a browser or another process."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """A report goes to another process as UTF-8, and some tests log what is none."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Name the test database after this process, and keep it carelessly: nobody needs it after a power cut."""
    for connection in connections.all(initialized_only=False):
        settings = connection.settings_dict
        if connection.vendor == "sqlite":  # a file, since threads share it
            settings["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")
            settings["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"
        else:
            settings["TEST"]["NAME"] = f"test_mcommerce_{os.getpid()}"


@pytest.fixture(scope="session", autouse=True)
def _metrics_are_counted_for_this_run_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path_factory.mktemp("metrics")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _a_run_that_a_test_starts_has_one_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_ADDOPTS", f"{os.environ.get('PYTEST_ADDOPTS', '')} -n0")
        yield


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_quickly() -> Iterator[None]:
    from tests.table_cleaner import empty_tables  # only now: it needs Django to be set up

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


@pytest.fixture(autouse=True)
def _each_test_begins_in_the_first_language() -> Iterator[None]:
    """A page that is read in French leaves French to the thread, and so to the next test."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_quickly() -> Iterator[None]:
    """They are hashed slowly on purpose: a third of a second for each test that somebody signs in to."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def _limits_are_counted_in_memory() -> Iterator[None]:
    """A test needs no database for them. Those about several processes ask for the site's own cache."""
    with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}):
        yield


@pytest.fixture(autouse=True)
def _nobody_did_anything_yet() -> None:
    """No test is refused for what another did too often."""
    cache.clear()


@pytest.fixture(autouse=True)
def _services_outside_are_well() -> None:
    """No test meets a circuit breaker that another one has opened."""
    forget()
