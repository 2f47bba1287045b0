"""What every test stands on: the bus's fixtures, and a database that no other pytest process knows."""

import os
from pathlib import Path

import pytest
from django.db import connections

pytest_plugins = ["eventbus.testing", "tests.browser.plugin"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Name the test database after this process. On SQLite it is a file, for threads and servers share it."""
    for connection in connections.all(initialized_only=False):
        options = connection.settings_dict["OPTIONS"]
        if connection.vendor == "sqlite":  # no test cuts the power, and waiting for the disk is most of their time
            options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
        connection.settings_dict["TEST"]["NAME"] = _database_name(
            connection.vendor, tmp_path_factory.mktemp("database")
        )


def _database_name(vendor: str, folder: Path) -> str:
    return str(folder / "test.sqlite3") if vendor == "sqlite" else f"test_mcommerce_{os.getpid()}"
