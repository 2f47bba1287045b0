"""Writes `docs/reference/events.md` anew: `make reference`."""

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
    django.setup()
    from tests.reference.events_page import PAGE, page  # only now: it needs Django to be set up

    PAGE.write_text(page())
    print(PAGE)


main()
