"""Who tidies up behind the others: closes a group that is gone for good, and prunes what nobody needs any more."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from eventbus import clock, closing
from eventbus.ids import uuid7
from eventbus.models import ConsumerGroup, InboxRow, Progress
from eventbus.pruning import Pruning

GONE = "sweep-gone"


def close_the_group_that_is_gone() -> None:
    """It was handled by code that is no longer there."""
    now = clock.now()
    group, new = ConsumerGroup.objects.get_or_create(name=GONE, defaults={"created_at": now})
    if new:
        InboxRow.objects.create(group=GONE, event_id=uuid7(), replay=0, handled_at=now)
    Progress.objects.get_or_create(group=GONE, topic="sweep", partition=0)
    closing.close(GONE, who="janitor")


def prune() -> None:
    """Everything that every group has passed."""
    Pruning(timedelta(0)).go()


CHORES: dict[str, Callable[[], None]] = {"closed": close_the_group_that_is_gone, "pruned": prune}


def tidy_up(folder: Path) -> bool:
    """Do the next chore; one that was interrupted is done again. Whether there was one."""
    for name, chore in CHORES.items():
        if not (folder / name).exists():
            chore()
            (folder / name).touch()
            return True
    return False
