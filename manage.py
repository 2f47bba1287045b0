#!/usr/bin/env python
"""The command line of the project: `manage.py help` lists the commands."""

import os
import sys

INTERRUPTED = 130  # as a shell's command that Ctrl-C has ended


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))  # it says what to set: where the program noticed helps nobody
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in sys.argv or not (remedy := remedy_of_the_database()):
            raise
        sys.exit(f"The database: {remedy}\n{error}\nTo see where: manage.py COMMAND --traceback ...")


def remedy_of_the_database() -> str:
    """What is the matter with it, asked anew; nothing when the failure lies elsewhere: then it is told in full."""
    from django.db import connection

    from mcommerce import health

    connection.close()  # it may be in the midst of what has failed
    state = health.database()
    is_told = state in {health.OK, health.NOT_MIGRATED} if "migrate" in sys.argv[1:2] else state == health.OK
    return "" if is_told else state


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
