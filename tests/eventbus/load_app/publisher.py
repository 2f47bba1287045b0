"""`python -m tests.eventbus.load_app.publisher NAME FILE`: publish until FILE.stop exists, or so many with a number.

What was committed is written to FILE, a line each: `key number`, and is on the disk before the next is published.
"""

import itertools
import os
import random
import sys
import time
from pathlib import Path

import django

KEYS = 10
AT_ONCE_MAX = 5  # events in a transaction
PAUSE_SECONDS = 0.1  # at most, between two transactions: a load that lasts, not a flood


def main(name: str, told: Path) -> None:
    """Each key's numbers go up by one."""
    from django.db import transaction

    from eventbus import publish
    from tests.eventbus.load_app.events import Called

    keys = [f"{name}{number}" for number in range(KEYS)]
    counters = {key: itertools.count() for key in keys}
    with told.open("a") as file:
        while not told.with_suffix(".stop").exists():
            chosen = random.choices(keys, k=random.randint(1, AT_ONCE_MAX))
            events = [Called(name=key, number=next(counters[key])) for key in chosen]
            with transaction.atomic():
                publish(*events)
            file.writelines(f"{event.name} {event.number}\n" for event in events)
            file.flush()
            os.fsync(file.fileno())
            time.sleep(random.uniform(0, PAUSE_SECONDS))


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1], Path(sys.argv[2]))
