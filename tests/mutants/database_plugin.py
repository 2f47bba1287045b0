"""A pytest plugin: a run's SQLite database is a copy of the file that MUTANTS_TABLES names. `make` makes that file.

To migrate an empty one takes longer than most mutants live. Tests that need no database come first.
"""

import os
import shutil
import sys
from typing import Any

import pytest

VARIABLE = "MUTANTS_TABLES"
DATABASE = {"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback"}  # pytest-django's


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    from django.db import connections
    from django.db.backends.sqlite3.creation import DatabaseCreation

    def copied(creation: Any, **_options: Any) -> str:
        name = creation.connection.settings_dict["TEST"]["NAME"]
        creation.connection.close()
        shutil.copy(os.environ[VARIABLE], name)
        connections.settings[creation.connection.alias]["NAME"] = creation.connection.settings_dict["NAME"] = name
        return str(name)

    DatabaseCreation.create_test_db = copied


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the shortest after all: pytest-django puts them behind the tests that wait for a broker."""
    items.sort(key=_uses_database)


def _uses_database(item: pytest.Item) -> bool:
    return item.get_closest_marker("django_db") is not None or not DATABASE.isdisjoint(
        getattr(item, "fixturenames", ())
    )


def make(path: str) -> None:
    import django
    from django.db import connection

    os.environ["DJANGO_SETTINGS_MODULE"] = "mcommerce.settings"
    django.setup()
    connection.settings_dict["TEST"]["NAME"] = f"{path}.new"
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [path])


if __name__ == "__main__":
    make(sys.argv[1])
