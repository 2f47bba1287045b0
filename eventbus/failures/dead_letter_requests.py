"""Carry out operators' requests for dead letters.

Call these functions in a transaction that has locked the group's Progress row of the partition. The lock keeps other
workers from handling the partition meanwhile.
"""

from collections.abc import Sequence

from django.db.models import F

from eventbus import clock
from eventbus.database.storable_text import printable
from eventbus.events import count_ours
from eventbus.failures import parking
from eventbus.models import DeadLetter, ParkedEvent, ParkedKey, Progress
from eventbus.registry import Group

DISCARDED_AT_ONCE = 500  # the most parked events that one transaction discards, so that others can write in between
# The fields that a discarded event keeps when it moves from the parked events to the dead letters, and back.
KEPT = ("group", "event_id", "topic", "partition", "offset", "type", "key", "payload", "headers")
BEHIND = "DiscardedBehind"  # the error class of an event that never failed, but was parked behind a discarded one
SKIPPED = "SkippedByOperator"  # that of an event which never failed, but which an operator had the group skip


def apply_request(group: Group, dead_letter: DeadLetter, progress: Progress) -> set[int]:
    """Carry out an operator's request for a dead letter. Return the ids of the dead letters that it dealt with.

    `requeue` parks the event again at the head of its key, `discard` gives it up, `restore` undoes a discard.
    `progress`: the group's locked row of the event's partition.
    """
    key = ParkedKey.objects.filter(group=group.name, topic=dead_letter.topic, key=dead_letter.key).first()
    if dead_letter.request == DeadLetter.Request.DISCARD:
        _discard(dead_letter, key, progress)
    elif dead_letter.request == DeadLetter.Request.REQUEUE:
        _requeue(dead_letter, key)
    elif dead_letter.behind:
        return _restore_behind(dead_letter, key, progress)
    else:
        _restore(dead_letter, key, progress)
    return {dead_letter.pk}


def _discard(dead_letter: DeadLetter, key: ParkedKey | None, progress: Progress) -> None:
    if key is not None and dead_letter.parks and dead_letter.through is not None:
        behind = list(key.events.filter(id__lte=dead_letter.through)[:DISCARDED_AT_ONCE])
        _discard_behind(dead_letter, behind, progress)
        if len(behind) == DISCARDED_AT_ONCE:
            return  # the request stays until all events behind the letter are discarded
    dead_letter.state, dead_letter.request, dead_letter.discarded_at = (
        DeadLetter.State.DISCARDED,
        DeadLetter.Request.NONE,
        clock.now(),
    )
    dead_letter.save(update_fields=["state", "request", "discarded_at"])
    _count_discarded(progress, int(parking.record_of(dead_letter).ours))
    if key is not None and dead_letter.parks:
        parking.go_on(key)


def _discard_behind(head: DeadLetter, behind: Sequence[ParkedEvent], progress: Progress) -> None:
    """Discard events parked behind a dead letter. They are kept byte for byte, so that they can come back."""
    now = clock.now()
    DeadLetter.objects.bulk_create(
        DeadLetter(
            **{name: getattr(event, name) for name in KEPT},
            parks=False,
            behind=True,
            attempts=0,
            error_class=BEHIND,
            died_at=now,
            discarded_at=now,
            state=DeadLetter.State.DISCARDED,
            decision=head.decision,
        )
        for event in behind
    )
    ParkedEvent.objects.filter(id__in=[event.pk for event in behind]).delete()
    _count_discarded(progress, count_ours(map(parking.record_of, behind)))


def _restore(dead_letter: DeadLetter, key: ParkedKey | None, progress: Progress) -> None:
    """Undo a discard: the dead letter is open again, and its key waits for it.

    If the key waits for another letter by now, it cannot wait for this one too.
    """
    _count_discarded(progress, -int(parking.record_of(dead_letter).ours))
    if dead_letter.parks and key is not None and key.state == ParkedKey.State.DEAD:
        dead_letter.parks = False  # the key waits for another letter by now, and cannot wait for two
    dead_letter.state, dead_letter.request, dead_letter.discarded_at = (
        DeadLetter.State.OPEN,
        DeadLetter.Request.NONE,
        None,
    )
    dead_letter.save(update_fields=["state", "request", "discarded_at", "parks"])
    if dead_letter.parks:
        _stop_for(dead_letter, key or _key_of(dead_letter))


def _restore_behind(dead_letter: DeadLetter, key: ParkedKey | None, progress: Progress) -> set[int]:
    """Park events again that were discarded behind another one, each at its old offset. Return their letters' ids.

    One call restores DISCARDED_AT_ONCE events at most.
    """
    asked = {
        "group": dead_letter.group,
        "topic": dead_letter.topic,
        "key": dead_letter.key,
        "request": dead_letter.request,
    }
    letters = list(DeadLetter.objects.filter(**asked, behind=True).order_by("offset", "id")[:DISCARDED_AT_ONCE])
    key = key or _key_of(dead_letter)
    ParkedEvent.objects.bulk_create(
        ParkedEvent(parked_key=key, **{name: getattr(one, name) for name in KEPT}) for one in letters
    )
    gone = {one.pk for one in letters}
    DeadLetter.objects.filter(id__in=gone).delete()
    _count_discarded(progress, -count_ours(map(parking.record_of, letters)))
    if key.state != ParkedKey.State.DEAD:
        parking.go_on(key)
    return gone


def _stop_for(dead_letter: DeadLetter, key: ParkedKey) -> None:
    key.state, key.running = ParkedKey.State.DEAD, False
    key.error = printable(f"{dead_letter.error_class}: {dead_letter.error}")
    key.save()


def _count_discarded(progress: Progress, more: int) -> None:
    Progress.objects.filter(id=progress.id).update(discarded=F("discarded") + more)


def _requeue(dead_letter: DeadLetter, key: ParkedKey | None) -> None:
    key = key or _key_of(dead_letter)
    record = parking.record_of(dead_letter)
    dead_letter.delete()
    first = key.events.values_list("offset", flat=True).first()
    if dead_letter.parks and first is not None and first <= record.offset:  # its own was raised, see `wait_at_end`
        key.events.update(offset=F("offset") + record.offset - first + 1)
    parking.wait(key, record, record.offset)
    if dead_letter.parks or key.state != ParkedKey.State.DEAD:  # a skipped letter frees no key that waits for another
        parking.go_on(key)


def _key_of(dead_letter: DeadLetter) -> ParkedKey:
    """Park the letter's key again, and return it."""
    now = clock.now()
    return ParkedKey.objects.create(
        group=dead_letter.group,
        topic=dead_letter.topic,
        partition=dead_letter.partition,
        key=dead_letter.key,
        due_at=now,
        parked_at=now,
    )
