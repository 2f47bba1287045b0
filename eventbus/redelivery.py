"""Handing a group what it passed and never handled: what is lost for it, or what an older release of it ignored.

Each such event that is still in the outbox is parked with its key, and the group's worker handles it like any other
that waits, on every backend. Events of its key that came later are handled already: nobody can put that right.
"""

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec
from django.db import transaction
from django.db.models import F, QuerySet

from eventbus import clock, groups, ignored_types, parking, passed_over, registry
from eventbus.backends import places
from eventbus.backends.base import TopicPartition
from eventbus.errors import BusError
from eventbus.models import WHO_CHARACTERS_MAX, OperatorAction, OutboxRow, ParkedKey, Progress

EVENTS_AT_ONCE = 200  # parked in one transaction, as many as a worker's batch has


class Refused(BusError):
    """Nothing was redelivered, and why not."""


class Redelivered(msgspec.Struct, frozen=True):
    """How many events of each type a group is to handle now, and how many more when it has: its keys are full."""

    group: str
    types: dict[str, int]
    left: int


def redeliver(
    name: str, *, types: Collection[str] = (), lost: bool = False, at_most: int | None = None, who: str
) -> Redelivered:
    """Let a group handle what it ignored of these types, and what is lost for it; `at_most` some. Raises Refused."""
    if name not in registry.groups:
        raise Refused(f"Group {name} is not in the code: nobody would handle anything. Deploy it first")
    if unknown := sorted(set(types) - registry.groups[name].handlers.keys()):
        raise Refused(
            f"Group {name} handles no {', '.join(unknown)}. Deploy the release that does, or name another type; "
            f"it handles {', '.join(sorted(registry.groups[name].handlers))}"
        )
    parked: Counter[str] = Counter()
    for progress in Progress.objects.filter(group=name).order_by("topic", "partition"):
        place = TopicPartition(progress.topic, progress.partition)
        while (at_most is None or parked.total() < at_most) and (found := _some(name, place, types, lost, who)):
            parked += found
    if not parked and _count(name, types, lost):
        raise Refused(f"Group {name} has {parking.PARKED_KEYS_MAX} parked keys: requeue or discard dead letters first")
    return Redelivered(name, dict(parked), _count(name, types, lost))


def count(name: str, *, types: Collection[str] = (), lost: bool = False) -> Redelivered:
    """How many that would be, by type."""
    rows = _all(name, types, lost)
    return Redelivered(name, dict(Counter(row for one in rows for row in one.values_list("type", flat=True))), 0)


def dismiss(name: str, types: Collection[str], who: str) -> int:
    """It is as it should be that the group ignored these types: say no more of it. How many events that was."""
    return ignored_types.forget(name, types, who)


def _all(name: str, types: Collection[str], lost: bool) -> list[QuerySet[OutboxRow]]:
    return [_wanted(progress, types, lost) for progress in Progress.objects.filter(group=name)]


def _count(name: str, types: Collection[str], lost: bool) -> int:
    return sum(rows.count() for rows in _all(name, types, lost))


def _wanted(progress: Progress, types: Collection[str], lost: bool) -> QuerySet[OutboxRow]:
    rows = passed_over.lost(progress) if lost else OutboxRow.objects.none()
    if types:
        ignored = passed_over.ignored(progress, passed_over.of(progress)).filter(type__in=types)
        rows = OutboxRow.objects.filter(id__in=ignored.values("id")) | OutboxRow.objects.filter(
            id__in=rows.values("id")
        )
    return rows


def _some(name: str, place: TopicPartition, types: Collection[str], lost: bool, who: str) -> Counter[str]:
    """The next of a partition, in the order of the log, under the lock that handling takes; how many by type."""
    with transaction.atomic():
        progress = groups.hold(registry.groups[name], place)
        missing = passed_over.count_lost(progress)
        rows = list(_wanted(progress, types, lost).order_by("position")[:EVENTS_AT_ONCE])
        done = _park(progress, rows)
        ignored = min(max(0, len(done) - missing), progress.ignored - progress.pruned_ignored)
        Progress.objects.filter(id=progress.pk).update(ignored=F("ignored") - ignored)
        by_type = Counter(row.type for row in done)
        ignored_types.less(progress, by_type)
        if done:
            _note(name, place, by_type, who)
    return by_type


def _park(progress: Progress, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """Behind all that waits for each key; as many as the group's parked keys have room for."""
    now, done = clock.now(), []
    for row in rows:
        place = {"group": progress.group, "topic": row.topic, "key": row.key}
        key = ParkedKey.objects.filter(**place).first()
        if key is None:
            if parking.is_full(progress.group):
                continue
            key = ParkedKey.objects.create(**place, partition=progress.partition, due_at=now, parked_at=now)
        parking.wait_at_end(key, places.record_of(row))
        done.append(row)
    return done


def _note(name: str, place: TopicPartition, by_type: Counter[str], who: str) -> None:
    told = ", ".join(f"{count} {type_}" for type_, count in sorted(by_type.items()))
    OperatorAction.objects.create(
        at=clock.now(),
        who=who[:WHO_CHARACTERS_MAX],
        action=OperatorAction.Action.REDELIVER,
        group=name,
        error=f"{place.topic}/{place.partition}: {told}",
    )
