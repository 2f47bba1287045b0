"""Events that no handler can swallow until an operator has mended it, and some that are only eaten in their order."""

from typing import ClassVar

from django.conf import settings
from django.db import connection

from eventbus import Event, Permanent, handles

MENDED = "mended"  # the file that says so, in the run's folder
BITES = 3  # events a key


class Cooked(Event):
    """A dish for the handlers below. The first of `spoiled` is poison until mended; of `rotten` for ever."""

    wire_name: ClassVar[str] = "sweep.cooked"
    topic: ClassVar[str] = "sweep"
    key_fields: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    number: int


@handles(Cooked, group="sweep", attempts=2)
def eat(event: Cooked) -> None:
    if event.number == 1 and event.name == "rotten":
        raise Permanent("rotten")
    if event.number == 1 and event.name == "spoiled" and not (settings.SWEEP_FOLDER / MENDED).exists():
        raise ValueError("spoiled")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO sweep_eaten (name, number) VALUES (%s, %s)", [event.name, event.number])


def lay_tables() -> None:
    serial = "BIGSERIAL PRIMARY KEY" if connection.vendor == "postgresql" else "INTEGER PRIMARY KEY AUTOINCREMENT"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE sweep_eaten (place {serial}, name TEXT, number INTEGER)")
        cursor.execute("CREATE TABLE sweep_told (name TEXT PRIMARY KEY)")


def dishes() -> list[Cooked]:
    names = ("spoiled", "rotten", "bread")
    return [Cooked(name=name, number=number) for number in range(1, BITES + 1) for name in names]


def should_be_eaten() -> dict[str, list[int]]:
    whole = list(range(1, BITES + 1))
    return {"bread": whole, "rotten": whole[1:], "spoiled": whole}


def eaten() -> dict[str, list[int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, number FROM sweep_eaten ORDER BY place")
        found: dict[str, list[int]] = {}
        for name, number in cursor.fetchall():
            found.setdefault(name, []).append(number)
    return found
