"""`python -m tests.rolling.load_app.publisher FILE RATE AHEAD`: publish so many events a second until FILE.stop exists.

No more than AHEAD wait at a time, any number when it is 0: so a machine that is slow for other reasons has less to do.
What was committed is written to FILE, a line each: `name number time`, the time after its COMMIT.
"""

import sys
import time
from pathlib import Path

import django

CALLERS = 100  # keys: each partition has some, and each key has an order to lose
PAUSE_SECONDS = 0.02  # between two transactions
AT_ONCE_MAX = 100  # events of a transaction, when a busy machine is behind its rate


def main(told: Path, rate: float, ahead: int) -> None:
    """Each caller rings in turn, with a number that goes up by one."""
    from django.db import transaction

    from eventbus import publish
    from tests.rolling.load_app.handlers import Rang
    from tests.rolling.load_app.models import Answer

    begun, rung = time.monotonic(), 0
    with told.open("a") as file:
        while not told.with_suffix(".stop").exists():
            due = min(int((time.monotonic() - begun) * rate) - rung, AT_ONCE_MAX)
            if ahead:
                due = min(due, ahead - (rung - Answer.objects.count()))
            if due > 0:
                events = [Rang(name=f"caller{one % CALLERS}", number=one // CALLERS) for one in range(rung, rung + due)]
                with transaction.atomic():
                    publish(*events)
                now = time.time()
                file.writelines(f"{event.name} {event.number} {now}\n" for event in events)
                file.flush()
                rung += due
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    django.setup()
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
