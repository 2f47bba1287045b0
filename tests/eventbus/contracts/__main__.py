"""Writes the golden payloads that are missing, and anew those of types that nobody has deployed: `make contract`."""

import os
import sys

import django

from tests.eventbus.contracts.golden import path_of, write_missing


def main(undeployed: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
    django.setup()
    for name in undeployed:
        path_of(name).unlink(missing_ok=True)
    for path in write_missing():
        print(path)


main(sys.argv[1:])
