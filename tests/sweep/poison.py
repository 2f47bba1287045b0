"""Events that no handler can swallow until an operator has mended it, and some that are only eaten in their order."""

from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from eventbus import Event, Permanent, backends, handles, publish
from eventbus.events import in_replay
from eventbus.models import OutboxRow
from mcommerce.events import ProductPublished

MENDED, FRESH, DUSTED = "mended", "fresh", "dusted"  # files that say so, in the run's folder
TRIES = "tries"  # the file with a dot for each time that a fish was sent back
FISH = 6
FISH_FAILED_MIN = 4  # of first attempts, and of their keys, after which the kitchen's circuit breaker opens
# So often each parked one was a probe before the next in the log: a client of Kafka takes a while to show that again.
ROUNDS = {True: 1, False: 4}  # by whether the backend lies in this process
BITES = 3  # events a key
HEAVY, HUGE = "heavy", "huge"  # the log rejects the first of each; the one is offered again, the other withdrawn
SALT = "salt"  # comes after those two: once it is in the log, the relay has seen that they are rejected


class Cooked(Event, name="sweep.cooked", topic="sweep", key="name"):
    """A dish for the handlers below. The first of `spoiled` is poison until mended; of `rotten` for ever."""

    name: str
    number: int


@handles(Cooked, group="sweep", attempts=2)
def eat(event: Cooked) -> None:
    if event.number == 1 and event.name == "rotten":
        raise Permanent("rotten")
    if event.number == 1 and event.name == "spoiled" and not (settings.SWEEP_FOLDER / MENDED).exists():
        raise ValueError("spoiled")
    write_down(event.name, event.number)


class Caught(Event, name="sweep.caught", topic="sweep", key="name"):
    """A fish. All of them are off until the kitchen is mended: so many failures open the group's circuit breaker."""

    name: str


@handles(Caught, group="sweep-kitchen")
def fry(event: Caught) -> None:
    if not (settings.SWEEP_FOLDER / FRESH).exists():
        with (settings.SWEEP_FOLDER / TRIES).open("a") as file:
            file.write(".")
        raise ValueError("it smells")
    write_down(event.name, 1)


def look_for_dust() -> None:
    """In a life of the sweep alone: whoever else loads this has the shop's own handlers, and no more."""
    handles(ProductPublished, group="orders", replayable=True)(see_again)


def see_again(event: ProductPublished) -> None:
    """A replay shows the second product covered with dust, until that is wiped off."""
    if in_replay() and event.sku == "RARE" and not (settings.SWEEP_FOLDER / DUSTED).exists():
        raise ValueError("all that dust")


def write_down(name: str, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO sweep_eaten (name, number) VALUES (%s, %s)", [name, number])


def lay_tables() -> None:
    serial = "BIGSERIAL PRIMARY KEY" if connection.vendor == "postgresql" else "INTEGER PRIMARY KEY AUTOINCREMENT"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE sweep_eaten (place {serial}, name TEXT, number INTEGER)")
        cursor.execute("CREATE TABLE sweep_told (name TEXT PRIMARY KEY)")


def cook() -> bool:
    """Publish the dishes, once."""
    names = ("spoiled", "rotten", "bread")
    return once("dishes", [Cooked(name=name, number=number) for number in range(1, BITES + 1) for name in names])


def fish() -> bool:
    """Publish the fish, once."""
    return once("fish", [Caught(name=f"fish-{number}") for number in range(FISH)])


def cook_too_much() -> bool:
    """Publish the two dishes that the log rejects, and then the others of their keys. Whether all of it is told."""
    first = [Cooked(name=name, number=1) for name in (HEAVY, HUGE, SALT)]
    once("too much", first, rejected=2)
    if not OutboxRow.objects.filter(key=SALT, offset__isnull=False).exists():
        return False
    rest = [Cooked(name=name, number=number) for number in range(2, BITES + 1) for name in (HEAVY, HUGE)]
    once("more", rest)
    return True


def once(name: str, events: Sequence[Event], *, rejected: int = 0) -> bool:
    """So many of them, the first ones, the log has rejected when the relay looks."""
    if is_told(name):  # asked at each look: a writer would hold up the bus each time
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO sweep_told (name) VALUES (%s)", [name])
        ids = publish(*events)
        OutboxRow.objects.filter(event_id__in=ids[:rejected]).update(rejected="too large")
    return True


def is_told(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM sweep_told WHERE name = %s", [name])
        return cursor.fetchone() is not None


def mend_the_kitchen(folder: Path) -> bool:
    """The operator's part, once enough fish went back."""
    tries = folder / TRIES
    enough = (1 + ROUNDS[backends.current().in_process]) * FISH_FAILED_MIN + 2  # each was tried, and then the probes
    if (folder / FRESH).exists() or not tries.exists() or tries.stat().st_size < enough:
        return False
    (folder / FRESH).touch()
    return True


def dust(folder: Path) -> bool:
    """The operator's part, once a replay has failed. Whether it was still to do."""
    if (folder / DUSTED).exists():
        return False
    (folder / DUSTED).touch()
    return True


WHOLE = list(range(1, BITES + 1))
SHOULD_BE_EATEN = {
    **{"bread": WHOLE, "rotten": WHOLE[1:], "spoiled": WHOLE, HEAVY: WHOLE, HUGE: WHOLE[1:], SALT: [1]},
    **{f"fish-{number}": [1] for number in range(FISH)},
}


def eaten() -> dict[str, list[int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, number FROM sweep_eaten ORDER BY place")
        found: dict[str, list[int]] = {}
        for name, number in cursor.fetchall():
            found.setdefault(name, []).append(number)
    return found
