#!/usr/bin/env python
"""The command line of the project: `manage.py help` lists the commands."""

import os
import select
import sys

INTERRUPTED = 130  # as a shell's command that Ctrl-C has ended
UNREAD = 141  # as one whose reader has seen enough: `| head`


def main() -> None:
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
        if "--traceback" in sys.argv or not (remedy := remedy_of_the_database()):
            raise
        sys.exit(f"The database: {remedy}\n{error}\nTo see where: manage.py COMMAND --traceback ...")


def remedy_of_the_database() -> str:
    """What is the matter with it, asked anew; nothing when the failure lies elsewhere: then it is told in full."""
    from django.db import connection

    from mcommerce.readiness import health_pages

    connection.close()  # it may be in the midst of what has failed
    state = health_pages.database()
    is_told = (
        state in {health_pages.OK, health_pages.NOT_MIGRATED}
        if "migrate" in sys.argv[1:2]
        else state == health_pages.OK
    )
    return "" if is_told else state


def is_unread() -> bool:
    """Whether it is standard output that nobody reads any more, and not a connection that broke."""
    asked = select.poll()
    asked.register(sys.stdout, 0)
    return any(what & select.POLLERR for _, what in asked.poll(0))


if __name__ == "__main__":
    try:
        main()
        if sys.stdout:  # some daemons are started without one
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        if not is_unread():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
        sys.exit(UNREAD)
