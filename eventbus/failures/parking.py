"""Park keys and write dead letters.

Call these functions in a worker's transaction that has locked the group's Progress row of the partition.
"""

import logging
import random
import traceback
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction

from eventbus import clock, failpoints
from eventbus.database import sql
from eventbus.database.storable_text import printable
from eventbus.errors import TooManyParked, counts_as_attempt, is_infrastructure_error
from eventbus.events import Record, with_causation
from eventbus.failures.causes import cause_of
from eventbus.models import DeadLetter, ParkedEvent, ParkedKey
from eventbus.registry import Group, Handler

logger = logging.getLogger(__name__)

# The most keys that a group may park. Each batch looks up its keys among the parked ones, and an operator must be able
# to go through them. A thousand is a morning's work, and far more than a few customers' broken data.
PARKED_KEYS_MAX = 1_000
AWAY_SECONDS = (10.0, 30.0)  # the pause before an unavailable service is called again is a random one between these

_WAITING = 'SELECT key FROM eventbus_parkedkey WHERE "group" = %b AND topic = %b AND {among}'


def parked_keys(group: str, topic: str, keys: set[str]) -> dict[str, ParkedKey]:
    """Return the rows of those of these keys that are parked for the group, by key.

    Mostly none is parked, so a cheap query comes first.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    asked = _WAITING.format(among=sql.is_among(connection, "key", "text"))
    found = {key for (key,) in sql.fetch(connection, asked, [group, topic, sql.texts(connection, keys)])}
    return {row.key: row for row in ParkedKey.objects.filter(group=group, topic=topic, key__in=found)} if found else {}


def park(group: Group, record: Record, error: BaseException, *, attempts: int) -> str:
    """Park the key of a failed event. If the failure is final, make the event a dead letter.

    `attempts`: the event's failed attempts; 0 if the error is not known to be the event's own failure. Returns a text
    for the log: the number of the attempt, and when the next one comes. Raises TooManyParked if the group may park no
    more keys.
    """
    policy = group.policy(record)
    final = bool(attempts) and policy.gives_up(error, attempts)
    if final and policy.on_dead == "skip":
        dead_letter(group, record, error, attempts=attempts, parks=False)
        return last_attempt(policy, attempts)
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
        dead_letter(group, record, error, attempts=attempts, parks=True)
        _stop(key, error)
        return last_attempt(policy, attempts)
    wait(key, record, record.offset)
    return postpone(key, policy, error, attempts=attempts)


def is_full(group: str) -> bool:
    """Return True if the group has as many parked keys as it may."""
    return ParkedKey.objects.filter(group=group).count() >= PARKED_KEYS_MAX


def wait_at_end(key: ParkedKey, record: Record) -> None:
    """Park an event behind all parked events of its key.

    The event's own offset may be lower than theirs. After a lost log was filled again, a parked event has the offset of
    its last copy in the log (`outbox_offsets.finish`). A relay that died before it stored offsets has appended its last
    events twice. So this record may be a first copy.
    """
    last = key.events.order_by("offset").values_list("offset", flat=True).last()
    wait(key, record, record.offset if last is None else max(record.offset, last))


def wait(key: ParkedKey, record: Record, offset: int) -> None:
    """Store an event behind its parked key. `offset` decides its turn among the key's parked events."""
    ParkedEvent.objects.create(
        parked_key=key,
        group=key.group,
        **columns_of(record) | {"offset": offset},
    )


def columns_of(record: Record) -> dict[str, Any]:
    """Return what a row of a parked or a dead event keeps of its record."""
    return {
        "event_id": record.event_id,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "type": record.type,
        "key": record.key,
        "payload": record.payload,
        "headers": record.headers,
    }


def postpone(key: ParkedKey, policy: Handler, error: BaseException, *, attempts: int) -> str:
    """Set the time of the next attempt at a key's first event. Return a text for the log: the attempt and the pause."""
    key.attempts, key.running = attempts, False
    if not counts_as_attempt(error):
        pause = random.uniform(*AWAY_SECONDS)
    else:
        pause = policy.backoff_seconds(attempts) if attempts else 0.0  # 0: only suspected, and the worker itself waits
    key.due_at = clock.now() + timedelta(seconds=pause)
    key.error = printable(f"{type(error).__name__}: {error}")
    key.save()
    counted = f"attempt {attempts} of {policy.attempts}" if counts_as_attempt(error) else "which counts as no attempt"
    return f"{counted}, next try in {pause:.1f} s"


def last_attempt(policy: Handler, attempts: int) -> str:
    """Return the log's text for an event's last attempt: its number, and that no other follows."""
    return f"attempt {attempts} of {policy.attempts}, and the last"


def dead_letter_head(group: Group, key: ParkedKey, head: ParkedEvent, error: BaseException, *, attempts: int) -> None:
    """Make a parked key's first event a dead letter. Its key then waits for an operator, or goes on without it."""
    record = record_of(head)
    parks = group.policy(record).on_dead == "park"
    head.delete()
    dead_letter(group, record, error, attempts=attempts, parks=parks)
    if parks:
        _stop(key, error)
    else:
        go_on(key)


def go_on(key: ParkedKey) -> None:
    """Make the key's next event due at once, now that the head is gone. Free the key when none is left."""
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


def dead_letter(group: Group, record: Record, error: BaseException, *, attempts: int, parks: bool) -> None:
    """Write a dead letter, without the error's text if the database refuses that. Raises if it refuses both."""
    dead_letter = DeadLetter(
        group=group.name,
        **columns_of(record),
        parks=parks,
        attempts=attempts,
        died_at=clock.now(),
        **cause_of(group, record, error).columns(),
        error=printable(str(error)),
        traceback=printable("".join(traceback.format_exception(error))),
    )
    try:
        with transaction.atomic():
            dead_letter.save(force_insert=True)
    except (DatabaseError, ValueError) as refused:
        if is_infrastructure_error(refused):
            raise
        dead_letter.error = dead_letter.traceback = ""
        dead_letter.save(force_insert=True)
    failpoints.hit("dead_letter")
    transaction.on_commit(partial(_log, dead_letter), robust=True)


def _log(dead_letter: DeadLetter) -> None:
    with_causation(  # so that the line has the event's correlation id
        record_of(dead_letter),
        logger.error,
        "Group %s gave up %s %s (key %s) after %s attempts, and it is dead letter %s: %s",
        dead_letter.group,
        dead_letter.type,
        dead_letter.event_id,
        dead_letter.key,
        dead_letter.attempts,
        dead_letter.pk,
        dead_letter.error_class,
    )


def record_of(row: ParkedEvent | DeadLetter) -> Record:
    """Return the record of a parked event or a dead letter."""
    return Record(
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        key=row.key,
        type=row.type,
        event_id=UUID(str(row.event_id)),
        payload=bytes(row.payload),
        headers=row.headers,
    )
