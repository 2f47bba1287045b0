"""What a group has handled: its rows are written in the handler's own transaction."""

from collections.abc import Iterable
from uuid import UUID

from eventbus import clock
from eventbus.models import DeadLetter, InboxRow, ParkedEvent

LIVE = 0  # the replay run of what is not replayed


def known(group: str, event_ids: Iterable[UUID], *, replay: int = LIVE) -> set[UUID]:
    """Which of these the group has handled in this run, or holds parked or buried."""
    ids = list(event_ids)
    handled = InboxRow.objects.filter(group=group, event_id__in=ids, replay=replay)
    return set(handled.values_list("event_id", flat=True)) | set_aside(group, ids)


def set_aside(group: str, event_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these the group holds parked or buried."""
    ids = list(event_ids)
    return {
        event_id
        for table in (ParkedEvent, DeadLetter)
        for event_id in table._default_manager.filter(group=group, event_id__in=ids).values_list("event_id", flat=True)
    }


def note(group: str, event_ids: Iterable[UUID], *, replay: int = LIVE) -> None:
    """Mark as handled. A plain INSERT: a repeat is a conflict and rolls the transaction back."""
    now = clock.now()
    InboxRow.objects.bulk_create(
        InboxRow(group=group, event_id=one, replay=replay, handled_at=now) for one in event_ids
    )
