"""`python -m tests.eventbus.load_app.hanging_handler say|relay`: publish events, or handle them as `relay_events` does.

Supervisors are told sooner than in earnest.
"""

import sys

import django

BEAT_SECONDS = 0.2
OTHERS = 20

if __name__ == "__main__":
    django.setup()
    from django.db import transaction

    from eventbus import publish
    from eventbus.backends import current
    from eventbus.operations import heartbeats
    from eventbus.processes.command_runner import relay_until_stopped
    from eventbus.progress import group_starts
    from eventbus.registry import groups as known
    from tests.eventbus.load_app.events import Called

    heartbeats.BEAT_SECONDS = BEAT_SECONDS
    if sys.argv[1] == "relay":
        relay_until_stopped()
    else:
        group_starts.ensure(current(), known.values())
        names = ["vase", *(f"chair {number}" for number in range(OTHERS))]
        with transaction.atomic():
            publish(*(Called(name=name, number=1) for name in names))
