"""Prints what does not fit its event's JSON Schema in the outbox of a chaos site, in that site's environment."""

import django


def main() -> None:
    django.setup()
    from django.db import connection

    from tests.schema_validation import OUTBOX, misfits_in_outbox  # only now: it needs Django to be set up

    with connection.cursor() as cursor:
        cursor.execute(OUTBOX)
        for complaint in misfits_in_outbox(cursor.fetchall()):
            print(complaint)


if __name__ == "__main__":
    main()
