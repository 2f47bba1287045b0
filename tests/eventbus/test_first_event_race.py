"""All groups of a process begin at once, and the first event that they see is often the same."""

import subprocess
import sys
from threading import Barrier, Thread
from types import new_class

import msgspec

from eventbus import Event
from eventbus.events import decode

GROUPS = 4
TYPES = 200
PARTS = 10  # types that an event's type is made of: the more, the longer it takes to learn
SWITCH_SECONDS = 1e-6  # another thread may go on in the midst of anything


def fresh_type() -> type[Event]:
    parts = {
        f"part_{i}": msgspec.defstruct(f"Part{i}", [("quantity", int)], module=__name__) | None for i in range(PARTS)
    }
    space = {"__module__": __name__, "__annotations__": parts, **dict.fromkeys(parts)}
    named = {"name": "race.opened", "topic": "race", "key": "part_0"}
    return new_class("Opened", (Event,), named, lambda body: body.update(space))  # type: ignore[return-value]


def open_at_once(event_type: type[Event]) -> None:
    line = Barrier(GROUPS)

    def group() -> None:
        line.wait()
        told = decode(b'{"part_9":{"quantity":3}}', event_type)
        opened.append(told.part_9.quantity)  # type: ignore[attr-defined]

    opened: list[int] = []
    groups = [Thread(target=group) for _ in range(GROUPS)]
    for each in groups:
        each.start()
    for each in groups:
        each.join()
    if opened != [3] * GROUPS:
        sys.exit(f"{GROUPS} groups opened it, and saw {opened}")


def test_groups_that_open_the_first_event_of_a_type_at_once_live_on() -> None:
    # A process of its own: what went wrong here was no exception but a segmentation fault.
    done = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True)

    assert done.returncode == 0, f"it ended with {done.returncode}: {done.stderr}"


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_SECONDS)
    for _ in range(TYPES):
        open_at_once(fresh_type())
