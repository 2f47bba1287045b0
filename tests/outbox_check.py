"""Prints what does not fit its event's JSON Schema in the outbox of a site, in that site's environment."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
    django.setup()
    from django.db import connection

    from tests.schema_validation import OUTBOX, misfits_in_outbox  # only now: it needs Django to be set up

    with connection.cursor() as cursor:
        cursor.execute(OUTBOX)
        for complaint in misfits_in_outbox(cursor.fetchall()):
            print(complaint)


def misfits_of(environment: Mapping[str, str], *, folder: Path = ROOT) -> list[str]:
    """What does not fit in the outbox of the site with this environment, each in a sentence.

    `folder` has the site's code. Raises RuntimeError.
    """
    command = [sys.executable, "-m", "tests.outbox_check"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"The outbox was not checked: {done.stdout}{done.stderr}")
    return done.stdout.splitlines()


if __name__ == "__main__":
    main()
