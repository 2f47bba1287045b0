"""Count events of types that a group's release does not know, and show them to operators.

Their publisher was deployed before their handlers, or the release with the handlers was rolled back. A type that the
release knows but the group does not handle is ignored on purpose, and is not counted here.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import msgspec
from django.db import transaction
from django.db.models import Max, Min, Sum

from eventbus import clock, registry
from eventbus.declaration.upcasting import readable_types
from eventbus.events import Record, declared_events
from eventbus.models import WHO_CHARACTERS_MAX, IgnoredType, OperatorAction, Progress

_known: set[str] = set()  # wire types in this process's code; only a cache: a missing type is looked up


def is_known(wire_type: str) -> bool:
    """Return True if the code of this process has an event of that wire type."""
    if wire_type not in _known:
        _known.update(name for one in declared_events() for name in readable_types(one))
    return wire_type in _known


def note(progress: Progress, record: Record) -> None:
    """Count an ignored event of this site if its type is unknown, in the transaction that passes it."""
    if record.ours:
        more(progress, record.type, 1)


def more(progress: Progress, wire_type: str, events: int) -> None:
    """Count so many ignored events of this site if their type is unknown, in the transaction that passes them."""
    if is_known(wire_type):
        return
    now = clock.now()
    row, new = IgnoredType.objects.get_or_create(
        group=progress.group,
        topic=progress.topic,
        partition=progress.partition,
        type=wire_type,
        defaults={"events": events, "first_at": now, "last_at": now},
    )
    if not new:  # no other process counts here: the caller holds the group's progress
        row.events, row.last_at = row.events + events, now
        row.save(update_fields=["events", "last_at"])


class IgnoredStatus(msgspec.Struct, frozen=True):
    """The events of one type that a group ignored because its release did not know the type.

    `handles`: the group has a handler of the type by now.
    """

    group: str
    topic: str
    type: str
    events: int
    first_at: datetime
    last_at: datetime
    handles: bool

    @property
    def remedy(self) -> str:
        """The operator's options, as a sentence."""
        again = f"manage.py eventbus redeliver {self.group} --type {self.type}"
        if self.handles:
            return f"To have them handled: {again}; if they need not be: {again} --dismiss."
        return f"Deploy the release that handles them, then: {again}. If the type is gone for good: {again} --dismiss."

    def __str__(self) -> str:
        release = "the release that it had then" if self.handles else "its release"
        return (
            f"Group {self.group} ignored {self.events} events of {self.type}, which {release} does not know, the last "
            f"at {self.last_at:%Y-%m-%d %H:%M:%S UTC}. {self.remedy}"
        )


def status() -> list[IgnoredStatus]:
    """Return a status for each group and type.

    Types that this release knows and the group does not handle are left out.
    """
    rows = IgnoredType.objects.order_by("group", "topic", "type").values("group", "topic", "type")
    counted = rows.annotate(count=Sum("events"), first=Min("first_at"), last=Max("last_at"))
    found = [
        IgnoredStatus(
            group=row["group"],
            topic=row["topic"],
            type=row["type"],
            events=row["count"],
            first_at=row["first"],
            last_at=row["last"],
            handles=handles(row["group"], row["type"]),
        )
        for row in counted
    ]
    return [one for one in found if one.handles or not is_known(one.type)]


def handles(group: str, wire_type: str) -> bool:
    """Return True if the code has a handler of that type in the group."""
    return group in registry.groups and wire_type in registry.groups[group].handlers


def problems(found: Iterable[IgnoredStatus]) -> list[str]:
    """Return one sentence for each status."""
    return [str(one) for one in found]


def less(progress: Progress, by_type: Mapping[str, int]) -> None:
    """Reduce the counts by so many redelivered events of each type, in the transaction that holds the progress."""
    partition = {"group": progress.group, "topic": progress.topic, "partition": progress.partition}
    for row in IgnoredType.objects.filter(**partition, type__in=list(by_type)):
        row.events = max(0, row.events - by_type[row.type])
        if row.events:
            row.save(update_fields=["events"])
        else:
            row.delete()


def forget(group: str, types: Collection[str], who: str) -> int:
    """Delete the counts of types that an operator dismisses. Return how many events that was."""
    with transaction.atomic():
        rows = IgnoredType.objects.select_for_update().filter(group=group, type__in=types)
        events = sum(row.events for row in rows)
        if rows:
            told = ", ".join(sorted({f"{row.events} {row.type}" for row in rows}))
            OperatorAction.objects.create(
                at=clock.now(),
                who=who[:WHO_CHARACTERS_MAX],
                action=OperatorAction.Action.DISMISS,
                group=group,
                error=told,
            )
            IgnoredType.objects.filter(id__in=[row.pk for row in rows]).delete()
    return events
