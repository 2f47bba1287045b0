"""Redeliver events that a group passed and never handled: lost ones, or ones that an older release ignored.

Each such event that is still in the outbox is parked with its key. The group's worker handles it like any other parked
event, on every backend. The group has handled later events of the key already: that order cannot be restored.
"""

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec
from django.db import transaction
from django.db.models import Count, F, QuerySet

from eventbus import clock, registry
from eventbus.audit import delivery_audit, passed_events
from eventbus.backends import outbox_offsets
from eventbus.backends.base import TopicPartition
from eventbus.consuming import ignored_types
from eventbus.errors import BusError
from eventbus.failures import parking
from eventbus.models import WHO_CHARACTERS_MAX, OperatorAction, OutboxRow, ParkedKey, Progress
from eventbus.progress import groups

EVENTS_AT_ONCE = 200  # parked in one transaction, as many as a worker's batch has


class RedeliveryRefused(BusError):
    """Nothing was redelivered; the text says why."""


class Redelivered(msgspec.Struct, frozen=True):
    """The number of redelivered events by type. `left`: the number of events that remain."""

    group: str
    types: dict[str, int]
    left: int


def redeliver(
    name: str, *, types: Collection[str] = (), lost: bool = False, at_most: int | None = None, who: str
) -> Redelivered:
    """Redeliver the ignored events of these types, and with `lost` the lost ones.

    `at_most`: redeliver no further batch once so many are redelivered. Events also remain if the group may park no more
    keys. Raises RedeliveryRefused if the code has no such group or no handler of a type, or if no key can be parked.
    """
    if name not in registry.groups:
        raise RedeliveryRefused(f"Group {name} is not in the code: nobody would handle anything. Deploy it first")
    if unknown := sorted(set(types) - registry.groups[name].handlers.keys()):
        raise RedeliveryRefused(
            f"Group {name} handles no {', '.join(unknown)}. Deploy the release that does, or name another type; "
            f"it handles {', '.join(sorted(registry.groups[name].handlers))}"
        )
    parked: Counter[str] = Counter()
    for progress in Progress.objects.filter(group=name).order_by("topic", "partition"):
        partition, search = TopicPartition(progress.topic, progress.partition), _search(progress.pk, types, lost)
        while (at_most is None or parked.total() < at_most) and search.row_ids:
            try:
                parked += _some(name, partition, search, who)
            except _Outdated:
                search = _search(progress.pk, types, lost)
    left = _count(name, types, lost)
    if not parked and left:
        raise RedeliveryRefused(
            f"Group {name} has {parking.PARKED_KEYS_MAX} parked keys: requeue or discard dead letters first"
        )
    return Redelivered(name, dict(parked), left)


def count(name: str, *, types: Collection[str] = (), lost: bool = False) -> Redelivered:
    """Count by type the events that `redeliver` would redeliver."""
    rows = _all(name, types, lost)
    by_type: Counter[str] = Counter()
    for one in rows:
        by_type.update(dict(one.order_by().values_list("type").annotate(count=Count("id"))))
    return Redelivered(name, dict(by_type), 0)


def dismiss(name: str, types: Collection[str], who: str) -> int:
    """Delete the counts of ignored events of these types, so that they are reported no more.

    Return how many events that was.
    """
    return ignored_types.forget(name, types, who)


def _all(name: str, types: Collection[str], lost: bool) -> list[QuerySet[OutboxRow]]:
    return [_wanted(progress, types, lost) for progress in Progress.objects.filter(group=name)]


def _count(name: str, types: Collection[str], lost: bool) -> int:
    return sum(rows.count() for rows in _all(name, types, lost))


def _wanted(progress: Progress, types: Collection[str], lost: bool) -> QuerySet[OutboxRow]:
    rows = passed_events.lost(progress) if lost else OutboxRow.objects.none()
    if types:
        ignored = passed_events.ignored(progress, passed_events.of(progress)).filter(type__in=types)
        rows = OutboxRow.objects.filter(id__in=ignored.values("id")) | OutboxRow.objects.filter(
            id__in=rows.values("id")
        )
    return rows


class _Search(msgspec.Struct):
    """The outbox rows of a partition that are to be parked, in the order of the log, as of one snapshot.

    `ignored`: how many of them the group counted as ignored; the others are lost. `start`: the group's first offset in
    the partition. `last_action`: the id of the last redelivery of that partition.
    """

    row_ids: list[int]
    ignored: int
    start: int
    last_action: int


class _Outdated(Exception):
    """Somebody else has redelivered events of this partition since, or the log was filled again."""


def _search(progress_id: int, types: Collection[str], lost: bool) -> _Search:
    """Find the outbox rows to park.

    This reads once all that the group has passed in a partition, and delays no handler.
    """
    with delivery_audit.snapshot():
        progress = Progress.objects.get(id=progress_id)
        rows = _wanted(progress, types, lost)
        row_ids = list(rows.order_by("offset").values_list("id", flat=True))
        missing = passed_events.count_lost(progress) if row_ids else 0
        last_action = _actions(progress).order_by("-id").values_list("id", flat=True).first() or 0
    return _Search(row_ids, max(0, len(row_ids) - missing), progress.start, last_action)


def _some(name: str, partition: TopicPartition, search: _Search, who: str) -> Counter[str]:
    """Park the next rows of a partition, in the order of the log, under the lock of the progress.

    Return how many by type. The parked rows are first deducted from the ignored events. So while rows are left, all
    lost ones are still reported as lost.
    """
    with transaction.atomic():
        progress = groups.lock_progress(registry.groups[name], partition)
        if progress.start != search.start or _actions(progress).filter(id__gt=search.last_action).exists():
            raise _Outdated
        asked, search.row_ids = search.row_ids[:EVENTS_AT_ONCE], search.row_ids[EVENTS_AT_ONCE:]
        rows = passed_events.nowhere(name, passed_events.of(progress).filter(id__in=asked)).order_by("offset")
        done, is_full = _park(progress, list(rows))
        ignored = min(len(done), search.ignored, progress.ignored - progress.pruned_ignored)
        Progress.objects.filter(id=progress.pk).update(ignored=F("ignored") - ignored)
        by_type = Counter(row.type for row in done)
        ignored_types.less(progress, by_type)
        if done:
            search.last_action = _note(name, partition, by_type, who).pk
    search.ignored -= ignored
    if is_full:
        search.row_ids = []
    return by_type


def _park(progress: Progress, rows: Sequence[OutboxRow]) -> tuple[list[OutboxRow], bool]:
    """Park rows behind all that waits for their keys, unless the group may park no more keys.

    Return the parked rows, and whether some were left.
    """
    now, done, left = clock.now(), [], set[str]()
    for row in rows:
        waiting = {"group": progress.group, "topic": row.topic, "key": row.key}
        key = ParkedKey.objects.filter(**waiting).first()
        if key is None:
            if row.key in left or parking.is_full(progress.group):
                left.add(row.key)  # keeps the order: no later event of the key may go before one that was left
                continue
            key = ParkedKey.objects.create(**waiting, partition=progress.partition, due_at=now, parked_at=now)
        parking.wait_at_end(key, outbox_offsets.record_of(row))
        done.append(row)
    return done, bool(left)


def _actions(progress: Progress) -> QuerySet[OperatorAction]:
    return OperatorAction.objects.filter(
        group=progress.group,
        action=OperatorAction.Action.REDELIVER,
        error__startswith=f"{progress.topic}/{progress.partition}: ",
    )


def _note(name: str, partition: TopicPartition, by_type: Counter[str], who: str) -> OperatorAction:
    told = ", ".join(f"{count} {type_}" for type_, count in sorted(by_type.items()))
    return OperatorAction.objects.create(
        at=clock.now(),
        who=who[:WHO_CHARACTERS_MAX],
        action=OperatorAction.Action.REDELIVER,
        group=name,
        error=f"{partition.topic}/{partition.partition}: {told}",
    )
