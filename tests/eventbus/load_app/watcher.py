"""`python -m tests.eventbus.load_app.watcher FILE`: write what is heard to FILE, from when FILE exists, until killed.

Once it listens, it publishes an event of its own.
"""

import sys
import threading
from pathlib import Path

import django


def main(heard: Path) -> None:
    """A line each: `key number`."""
    from django.db import transaction

    from eventbus import publish, watches
    from tests.eventbus.load_app.events import Called

    def note(events: list[Called]) -> None:
        with heard.open("a") as file:
            file.writelines(f"{event.name} {event.number}\n" for event in events)

    watches(Called, call=note)
    with transaction.atomic():
        publish(Called(name="watcher", number=0))
    heard.touch()
    threading.Event().wait()


if __name__ == "__main__":
    django.setup()
    main(Path(sys.argv[1]))
