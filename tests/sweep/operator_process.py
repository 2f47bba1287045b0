"""Who tidies up behind the others.

Closes a group that is gone for good, decides about what the log refused, and prunes what nobody needs any more.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from eventbus import backends, clock
from eventbus.ids import uuid7
from eventbus.models import ConsumerGroup, InboxRow, Progress
from eventbus.operations.pruning import Pruning
from eventbus.publishing import rejected_records
from eventbus.repairs import group_removal
from tests.sweep import kafka_day, poison
from tests.sweep.run import PRUNED

GONE = "sweep-gone"


def close_the_group_that_is_gone() -> bool:
    """It was handled by code that is no longer there."""
    now = clock.now()
    group, new = ConsumerGroup.objects.get_or_create(name=GONE, defaults={"created_at": now})
    if new:
        InboxRow.objects.create(group=GONE, event_id=uuid7(), replay=0, handled_at=now)
    Progress.objects.get_or_create(group=GONE, topic="sweep", partition=0)
    group_removal.close(GONE, who="janitor")
    return True


def decide_about_the_refused() -> bool:
    """One is offered to the log again, the other withdrawn."""
    if not poison.cook_too_much():
        return False
    for row in rejected_records.rejected():
        decide = rejected_records.resend if row.key == poison.HEAVY else rejected_records.withdraw
        decide(row, "janitor")
    return True


def prune() -> bool:
    """Everything that every group has passed, and that Kafka cannot show again."""
    if not backends.current().in_process:
        kafka_day.let_retention_end()
    Pruning(timedelta(0)).go()
    return True


CHORES: dict[str, Callable[[], bool]] = {
    "closed": close_the_group_that_is_gone,
    "decided": decide_about_the_refused,
    PRUNED: prune,
}


def tidy_up(folder: Path) -> bool:
    """Do the next chore; one that was interrupted is done again. Whether one was done: for some it may be too early."""
    for name, chore in CHORES.items():
        if not (folder / name).exists():
            done = chore()
            if done:
                (folder / name).touch()
            return done
    return False
