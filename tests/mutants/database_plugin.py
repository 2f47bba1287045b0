"""A pytest plugin: a run's SQLite database is a copy of the file that MUTANTS_TABLES names. `make` makes that file.

To migrate an empty one takes longer than most mutants live.
"""

import os
import shutil
import sys
from typing import Any

import pytest

VARIABLE = "MUTANTS_TABLES"


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
