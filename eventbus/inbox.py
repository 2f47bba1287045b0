"""What a group has handled: its rows are written in the handler's own transaction."""

from collections.abc import Iterable
from uuid import UUID

from eventbus import clock
from eventbus.models import DeadLetter, InboxRow, ParkedEvent

LIVE = 0  # the replay run of what is not replayed


def known(group: str, event_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these the group has handled, parked or buried already."""
    ids = list(event_ids)
    return {
        event_id
        for table in (InboxRow, ParkedEvent, DeadLetter)
        for event_id in table._default_manager.filter(group=group, event_id__in=ids).values_list("event_id", flat=True)
    }


def note(group: str, event_ids: Iterable[UUID]) -> None:
    """Mark as handled. A plain INSERT: a repeat is a conflict and rolls the transaction back."""
    now = clock.now()
    InboxRow.objects.bulk_create(InboxRow(group=group, event_id=one, replay=LIVE, handled_at=now) for one in event_ids)
