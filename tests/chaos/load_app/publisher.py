"""`python -m tests.chaos.load_app.publisher FILE SEED`: call and set reminders, until FILE.stop exists.

FILE gets a line for each transaction whose end is known, on the disk before the next begins: `ack TOKENS` once
COMMIT returned, `undo TOKENS` when it was rolled back. Where the connection broke under COMMIT, nobody knows: no line.
"""

import os
import random
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TextIO
from uuid import uuid4

import django

NAMES = [f"name{number}" for number in range(40)]
AT_ONCE_MAX = 4  # events in a transaction
PAUSE_SECONDS = 0.7  # at most, between two transactions: more than 20,000 events in ten minutes, not a flood
THINK_SECONDS = 0.05  # at most, with events in the open transaction
UNDONE_PART = 0.05  # of transactions
REMINDED_PART = 0.1  # of transactions that arrange a reminder as well
REMIND_SECONDS = 3.0  # at most, from now
AWAY_SECONDS = 0.3  # after the database was away


class ChangedMind(Exception):
    """Rolls back."""


def main(told: Path, chance: random.Random) -> None:
    from django.db import DatabaseError, InterfaceError, connection

    pause = float(os.environ["CHAOS_PAUSE_SECONDS"])
    with told.open("a") as file:
        while not told.with_suffix(".stop").exists():
            tokens: list[str] = []
            try:
                call(tokens, chance)
                note(file, "ack", tokens)
            except ChangedMind:
                note(file, "undo", tokens)
            except (DatabaseError, InterfaceError):
                connection.close()
                time.sleep(AWAY_SECONDS)
            time.sleep(chance.uniform(0, pause))


def note(file: TextIO, what: str, tokens: list[str]) -> None:
    file.write(f"{what} {' '.join(tokens)}\n")
    file.flush()
    os.fsync(file.fileno())


def call(tokens: list[str], chance: random.Random) -> None:
    """One transaction; `tokens` gets what it tells. Raises ChangedMind."""
    from django.db import transaction

    from eventbus import clock, publish
    from tests.chaos.load_app.handlers import Called, Reminded
    from tests.chaos.load_app.models import Told

    names = sorted(chance.choices(NAMES, k=chance.randint(1, AT_ONCE_MAX)))
    calls = [Called(name=name, token=uuid4().hex) for name in names]
    tokens += [one.token for one in calls]
    with transaction.atomic():
        publish(*calls)
        if chance.random() < REMINDED_PART:
            reminder = Reminded(name=names[0], token=uuid4().hex)
            publish(reminder, due=clock.now() + timedelta(seconds=chance.uniform(0, REMIND_SECONDS)))
            Told.objects.create(token=reminder.token, kind=reminder.wire_name, name=reminder.name, number=0)
            tokens.append(reminder.token)
        time.sleep(chance.uniform(0, THINK_SECONDS))
        # Counted only now: the order is the bus's to keep, not our row locks'.
        numbers = count(names)
        Told.objects.bulk_create(
            Told(token=one.token, kind=one.wire_name, name=one.name, number=number)
            for one, number in zip(calls, numbers, strict=True)
        )
        if chance.random() < UNDONE_PART:
            raise ChangedMind


def count(names: list[str]) -> list[int]:
    """The next numbers of these callers, who are sorted and may come twice."""
    from django.db import connection

    last: dict[str, int] = {}
    with connection.cursor() as cursor:
        for name, calls in Counter(names).items():
            question = "UPDATE town_caller SET calls = calls + %s WHERE name = %s RETURNING calls"
            cursor.execute(question, [calls, name])
            last[name] = cursor.fetchone()[0] - calls
    numbers = []
    for name in names:
        last[name] += 1
        numbers.append(last[name])
    return numbers


if __name__ == "__main__":
    django.setup()
    main(Path(sys.argv[1]), random.Random(sys.argv[2]))
