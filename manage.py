#!/usr/bin/env python
"""The command line of the project: `manage.py help` lists the commands."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))  # it says what to set: where the program noticed helps nobody
    except DatabaseError as error:
        from mcommerce.health import OK, database

        if (state := database()) == OK or "--traceback" in sys.argv:
            raise
        sys.exit(f"The database: {state}\n{error}")
