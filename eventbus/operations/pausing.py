"""Groups that stand still: an operator lets one pause and go on again; a brake that has closed is released too.

The word is a row, with who gave it. A worker sees it when it begins its next batch; what is in hand it finishes. While
a group is paused nothing of it moves: no event, no retry, no probe, and no wish about its dead letters comes true.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from eventbus import clock, failpoints
from eventbus.database.text import TIME
from eventbus.errors import BusError
from eventbus.models import WHO_CHARACTERS_MAX, ConsumerGroup, OperatorAction

_STANDS_STILL = Q(paused_at__isnull=False) | Q(braked_at__isnull=False)


class Refused(BusError):
    """A group cannot be paused or resumed: it is already so."""


class Standstill(msgspec.Struct, frozen=True):
    """A group that stands still: since when and why. It can be paused and braked at the same time."""

    group: str
    paused_at: datetime | None
    paused_by: str
    braked_at: datetime | None
    brake_reason: str


def standstills() -> list[Standstill]:
    """Every group that stands still, by name."""
    fields = ("name", "paused_at", "paused_by", "braked_at", "brake_reason")
    return [
        Standstill(*row) for row in ConsumerGroup.objects.filter(_STANDS_STILL).order_by("name").values_list(*fields)
    ]


def problems(found: Iterable[Standstill]) -> list[str]:
    """What an operator must see to: the brakes. A pause is the operator's own."""
    return [
        f"Group {one.group} is braked since {one.braked_at:{TIME}}: {one.brake_reason}. Mend what fails: a probe then "
        f"opens the brake by itself, or manage.py eventbus resume {one.group} does."
        for one in found
        if one.braked_at is not None
    ]


def unknown(names: Iterable[str]) -> list[str]:
    """Which of these are no groups' names."""
    wanted = set(names)
    return sorted(wanted - set(ConsumerGroup.objects.filter(name__in=wanted).values_list("name", flat=True)))


def pausable() -> QuerySet[ConsumerGroup]:
    """Every group that is not paused, by name."""
    return ConsumerGroup.objects.filter(paused_at__isnull=True).order_by("name")


def resumable() -> QuerySet[ConsumerGroup]:
    """Every group that stands still, by name."""
    return ConsumerGroup.objects.filter(_STANDS_STILL).order_by("name")


def pause(group: ConsumerGroup, who: str) -> None:
    """Let it stand still until it is resumed. Raises Refused."""
    with failpoints.atomic("pause"):
        row = ConsumerGroup.objects.select_for_update().get(pk=group.pk)
        if row.paused_at is not None:
            raise Refused(_("Group %(group)s is paused already.") % {"group": row.name})
        row.paused_at, row.paused_by = clock.now(), who[:WHO_CHARACTERS_MAX]
        row.save(update_fields=["paused_at", "paused_by"])
        _note(OperatorAction.Action.PAUSE, row, who)


def resume(group: ConsumerGroup, who: str) -> None:
    """Let it go on, paused or braked; a brake then judges by what comes from now on. Raises Refused."""
    with failpoints.atomic("resume"):
        row = ConsumerGroup.objects.select_for_update().get(pk=group.pk)
        if row.paused_at is None and row.braked_at is None:
            raise Refused(_("Group %(group)s is neither paused nor braked.") % {"group": row.name})
        _note(OperatorAction.Action.RESUME, row, who)
        row.paused_at, row.paused_by, row.braked_at, row.brake_reason = None, "", None, ""
        row.save(update_fields=["paused_at", "paused_by", "braked_at", "brake_reason"])


def _note(action: OperatorAction.Action, group: ConsumerGroup, who: str) -> None:
    OperatorAction.objects.create(
        at=clock.now(), who=who[:WHO_CHARACTERS_MAX], action=action, group=group.name, error=group.brake_reason
    )
