"""Writes `docs/reference/events.md` and `docs/reference/doctor.md` anew: `make reference`."""

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
    django.setup()
    from tests.reference import doctor_page, events_page  # only now: they need Django to be set up

    for one in (events_page, doctor_page):
        one.PAGE.write_text(one.page())
        print(one.PAGE)


main()
