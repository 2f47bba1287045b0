"""The pytest plugin that runs a test on PostgreSQL too, where it carries the mark `postgresql`.

The run's own database is the one that DATABASE_URL names, SQLite by default. Each process of the run has a database of
its own on the run's PostgreSQL, made from a migrated one. Where the run's own is PostgreSQL, each test runs once.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import dj_database_url
import psycopg
import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, connections

from tests.postgres import PostgresMissing, temporary_cluster
from tests.shared_servers import shared

MIGRATED = "migrated"  # the database that the others are made from


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`postgresql`: on the run's database and on PostgreSQL; `postgresql(only=True)`: there alone."""
    mark = metafunc.definition.get_closest_marker("postgresql")
    if mark and settings.DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        own = [] if mark.kwargs.get("only") else [pytest.param("own", id=pytest.HIDDEN_PARAM)]
        metafunc.parametrize("database", [*own, "postgresql"], indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Which one the test runs on."""
    if getattr(request, "param", "own") == "own":
        yield
    else:
        with used(request.getfixturevalue("database_on_postgresql")):
            yield


@pytest.fixture(scope="session")
def database_on_postgresql(postgresql: str, worker_id: str) -> dict[str, Any]:
    """Django's settings of this process's database."""
    name = f"test_{worker_id}"
    with psycopg.connect(_libpq(postgresql), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {MIGRATED}")
    return _settings(postgresql, name)


@pytest.fixture(scope="session")
def postgresql(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The DATABASE_URL of the run's PostgreSQL."""

    @contextmanager
    def migrated_cluster() -> Iterator[str]:
        with temporary_cluster() as url:
            with psycopg.connect(_libpq(url), autocommit=True) as server:
                server.execute(f"CREATE DATABASE {MIGRATED}")
            with django_db_blocker.unblock(), used(_settings(url, MIGRATED)):
                call_command("migrate", verbosity=0)
            yield url

    with postgresql_or_skip(lambda: shared("postgresql", tmp_path_factory, migrated_cluster)) as url:
        yield url


@contextmanager
def postgresql_or_skip(start: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Yield what `start` yields. A machine without PostgreSQL skips the test; under CI it fails."""
    try:
        with start() as url:
            yield url
    except PostgresMissing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


def _libpq(url: str) -> str:
    return url.replace("postgres://", "postgresql://")


def _settings(url: str, name: str) -> dict[str, Any]:
    engine = dj_database_url.parse(url) | {"NAME": name, "CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 60}
    engine["OPTIONS"] = settings.POSTGRES_OPTIONS
    return connections.configure_settings({"default": engine})["default"]


@contextmanager
def used(database: dict[str, Any]) -> Iterator[None]:
    """Let Django use this database as its default one."""
    own = connections.settings["default"]
    _use(database)
    try:
        yield
    finally:
        _use(own)


def _use(database: dict[str, Any]) -> None:
    connections.close_all()
    with suppress(AttributeError):
        del connections["default"]
    connections.settings["default"] = settings.DATABASES["default"] = database
    assert connection.settings_dict is database
    ContentType.objects.clear_cache()  # their ids are others there
