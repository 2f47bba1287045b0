"""Keys that wait, and dead letters. Everything here runs in a worker's transaction, under its progress lock."""

import logging
import random
import traceback
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.models import F

from eventbus import clock, failpoints, sql
from eventbus.errors import TooManyParked, counts, is_nobodys_fault
from eventbus.events import Record, count_ours
from eventbus.models import DeadLetter, ParkedEvent, ParkedKey, Progress
from eventbus.registry import Group, Handler
from eventbus.text import printable

logger = logging.getLogger(__name__)

# A group's parked keys at most. Each batch looks up its keys among them, and an operator must be able to go through
# them: a thousand is a morning's work, and by far more than a few customers' broken data.
PARKED_KEYS_MAX = 1_000
DISCARDED_AT_ONCE = 500  # parked events that go with a dead letter in one transaction: others write in between
KEPT = ("group", "event_id", "topic", "partition", "position", "type", "key", "payload", "headers")  # of such an event
BEHIND = "DiscardedBehind"  # its error: it never failed itself
AWAY_SECONDS = (10.0, 30.0)  # until a service that is away is asked again: soon after it is back, and not in step

_WAITING = 'SELECT key FROM eventbus_parkedkey WHERE "group" = %b AND topic = %b AND {among}'


def parked_keys(group: str, topic: str, keys: set[str]) -> dict[str, ParkedKey]:
    """Which of these keys wait, for this group. Mostly none does: that is asked first, as cheaply as can be."""
    connection = connections[DEFAULT_DB_ALIAS]
    asked = _WAITING.format(among=sql.is_among(connection, "key", "text"))
    found = {key for (key,) in sql.fetch(connection, asked, [group, topic, sql.texts(connection, keys)])}
    return {row.key: row for row in ParkedKey.objects.filter(group=group, topic=topic, key__in=found)} if found else {}


def park(group: Group, record: Record, error: BaseException, *, attempts: int) -> None:
    """Park the key of an event that failed; bury the event when that failure is final. Raises TooManyParked.

    `attempts` is 0 when the failure was none of the event's, as far as is known.
    """
    policy = group.policy(record)
    final = bool(attempts) and policy.gives_up(error, attempts)
    if final and policy.on_dead == "skip":
        bury(group.name, record, error, attempts=attempts, parks=False)
        return
    if is_full(group.name):
        raise TooManyParked(group.name)
    now = clock.now()
    key = ParkedKey.objects.create(
        group=group.name,
        topic=record.topic,
        partition=record.partition,
        key=record.key,
        attempts=attempts,
        due_at=now,
        parked_at=now,
    )
    failpoints.hit("parked")
    if final:
        bury(group.name, record, error, attempts=attempts, parks=True)
        _stop(key, error)
    else:
        _wait(key, record, record.position)
        postpone(key, policy, error, attempts=attempts)


def ids_of(group: str, record: Record) -> list[int]:
    """The parked key of a record, if it is parked."""
    keys = ParkedKey.objects.filter(group=group, topic=record.topic, key=record.key)
    return list(keys.values_list("id", flat=True))


def is_full(group: str) -> bool:
    """Whether the group has as many parked keys as it may."""
    return ParkedKey.objects.filter(group=group).count() >= PARKED_KEYS_MAX


def wait_at_end(key: ParkedKey, record: Record) -> None:
    """Let an event that comes now wait behind all that came before it.

    Its own position may be smaller: where a lost log is filled again, what waits is moved to where it lies last
    (`places.finish`), and a relay that died before it could write that down has appended the rest twice.
    """
    last = key.events.order_by("position").values_list("position", flat=True).last()
    _wait(key, record, record.position if last is None else max(record.position, last))


def _wait(key: ParkedKey, record: Record, position: int) -> None:
    ParkedEvent.objects.create(
        parked_key=key,
        group=key.group,
        event_id=record.event_id,
        topic=record.topic,
        partition=record.partition,
        position=position,
        type=record.type,
        key=record.key,
        payload=record.payload,
        headers=record.headers,
    )


def postpone(key: ParkedKey, policy: Handler, error: BaseException, *, attempts: int) -> None:
    """Let the head wait for its next attempt."""
    key.attempts, key.running = attempts, False
    if not counts(error):
        pause = random.uniform(*AWAY_SECONDS)
    else:
        pause = policy.backoff_seconds(attempts) if attempts else 0.0  # only suspected: the worker waits for the world
    key.due_at = clock.now() + timedelta(seconds=pause)
    key.error = printable(f"{type(error).__name__}: {error}")
    key.save()


def bury_head(group: Group, key: ParkedKey, head: ParkedEvent, error: BaseException, *, attempts: int) -> None:
    """Make a parked key's head a dead letter; its key waits for an operator, or goes on without it."""
    record = record_of(head)
    parks = group.policy(record).on_dead == "park"
    head.delete()
    bury(group.name, record, error, attempts=attempts, parks=parks)
    if parks:
        _stop(key, error)
    else:
        go_on(key)


def go_on(key: ParkedKey) -> None:
    """The head is out of the way: the next is due at once, and the key is free when none is left."""
    if key.events.exists():
        key.state, key.attempts, key.crashes, key.running = ParkedKey.State.RETRYING, 0, 0, False
        key.error, key.due_at = "", clock.now()
        key.save()
    else:
        key.delete()


def _stop(key: ParkedKey, error: BaseException) -> None:
    key.state, key.running = ParkedKey.State.DEAD, False
    key.error = printable(f"{type(error).__name__}: {error}")
    key.save()


def bury(group: str, record: Record, error: BaseException, *, attempts: int, parks: bool) -> None:
    """Write a dead letter; a minimal one when the database refuses the error's text. Raises when it takes neither."""
    letter = DeadLetter(
        group=group,
        event_id=record.event_id,
        topic=record.topic,
        partition=record.partition,
        position=record.position,
        type=record.type,
        key=record.key,
        payload=record.payload,
        headers=record.headers,
        parks=parks,
        attempts=attempts,
        died_at=clock.now(),
        error_class=type(error).__name__[:200],
        error=printable(str(error)),
        traceback=printable("".join(traceback.format_exception(error))),
    )
    try:
        with transaction.atomic():
            letter.save(force_insert=True)
    except (DatabaseError, ValueError) as refused:
        if is_nobodys_fault(refused):
            raise
        letter.error = letter.traceback = ""
        letter.save(force_insert=True)
    failpoints.hit("buried")
    transaction.on_commit(partial(_tell, letter), robust=True)


def _tell(letter: DeadLetter) -> None:
    logger.error(
        "Group %s gave up %s %s (key %s) after %s attempts, and it is dead letter %s: %s",
        letter.group,
        letter.type,
        letter.event_id,
        letter.key,
        letter.attempts,
        letter.pk,
        letter.error_class,
    )


def obey(group: Group, letter: DeadLetter, progress: Progress) -> None:
    """Do what an operator asked for with a dead letter.

    `requeue` puts the event back at the head of its key, `discard` lets it go, `restore` undoes a discard.
    """
    key = ParkedKey.objects.filter(group=group.name, topic=letter.topic, key=letter.key).first()
    if letter.request == DeadLetter.Request.DISCARD:
        _discard(letter, key, progress)
    elif letter.request == DeadLetter.Request.RESTORE:
        _restore(letter, key, progress)
    else:
        _requeue(letter, key)


def _discard(letter: DeadLetter, key: ParkedKey | None, progress: Progress) -> None:
    if key is not None and letter.parks and letter.through is not None:
        behind = list(key.events.filter(id__lte=letter.through)[:DISCARDED_AT_ONCE])
        _discard_behind(letter, behind, progress)
        if len(behind) == DISCARDED_AT_ONCE:
            return  # the wish stands until all of them are gone
    letter.state, letter.request, letter.discarded_at = DeadLetter.State.DISCARDED, DeadLetter.Request.NONE, clock.now()
    letter.save(update_fields=["state", "request", "discarded_at"])
    _count_discarded(progress, int(record_of(letter).ours))
    if key is not None and letter.parks:
        go_on(key)


def _discard_behind(head: DeadLetter, behind: Sequence[ParkedEvent], progress: Progress) -> None:
    """What waits behind a dead letter goes with it; kept byte for byte, like the letter, lest it must come back."""
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
    _count_discarded(progress, count_ours(map(record_of, behind)))


def _restore(letter: DeadLetter, key: ParkedKey | None, progress: Progress) -> None:
    """The letter is as it was: dead, with its key waiting for it; or parked, where it had waited behind another."""
    _count_discarded(progress, -int(record_of(letter).ours))
    if letter.behind:
        _requeue(letter, key)
        return
    if letter.parks and key is not None and key.state == ParkedKey.State.DEAD:
        letter.parks = False  # the key waits for another meanwhile, and will not for two
    letter.state, letter.request, letter.discarded_at = DeadLetter.State.OPEN, DeadLetter.Request.NONE, None
    letter.save(update_fields=["state", "request", "discarded_at", "parks"])
    if letter.parks:
        _stop_for(letter, key or _key_of(letter))


def _stop_for(letter: DeadLetter, key: ParkedKey) -> None:
    key.state, key.running = ParkedKey.State.DEAD, False
    key.error = printable(f"{letter.error_class}: {letter.error}")
    key.save()


def _count_discarded(progress: Progress, more: int) -> None:
    Progress.objects.filter(id=progress.id).update(discarded=F("discarded") + more)


def _requeue(letter: DeadLetter, key: ParkedKey | None) -> None:
    key = key or _key_of(letter)
    record = record_of(letter)
    letter.delete()
    first = key.events.values_list("position", flat=True).first()
    if letter.parks and first is not None and first <= record.position:  # it was moved, see `wait_at_end`
        key.events.update(position=F("position") + record.position - first + 1)
    _wait(key, record, record.position)
    if letter.parks or key.state != ParkedKey.State.DEAD:  # one that stood aside frees no key that waits for another
        go_on(key)


def _key_of(letter: DeadLetter) -> ParkedKey:
    """The letter's key, parked again."""
    now = clock.now()
    return ParkedKey.objects.create(
        group=letter.group,
        topic=letter.topic,
        partition=letter.partition,
        key=letter.key,
        due_at=now,
        parked_at=now,
    )


def record_of(row: ParkedEvent | DeadLetter) -> Record:
    """The record as it was fetched."""
    return Record(
        topic=row.topic,
        partition=row.partition,
        position=row.position,
        key=row.key,
        type=row.type,
        event_id=UUID(str(row.event_id)),
        payload=bytes(row.payload),
        headers=row.headers,
    )
