"""Pause groups, and resume them. Resuming also closes an open circuit breaker.

A pause is stored in the group's row, with the operator's name. A worker sees it before its next batch, and finishes the
current one. While a group is paused it handles no event, no retry, no probe and no request for its dead letters.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from eventbus import clock, failpoints
from eventbus.database.storable_text import TIME
from eventbus.errors import BusError
from eventbus.events import KEY_CHARACTERS_MAX
from eventbus.failures.circuit_breaker import LAST_ERROR
from eventbus.models import WHO_CHARACTERS_MAX, ConsumerGroup, OperatorAction
from eventbus.operations.problem import Problem

_STANDS_STILL = Q(paused_at__isnull=False) | Q(breaker_opened_at__isnull=False)


class PauseRefused(BusError):
    """A group cannot be paused because it is paused already, or cannot be resumed because it does not stand still."""


class Standstill(msgspec.Struct, frozen=True):
    """A group that stands still: since when and why. It may be paused, its circuit breaker may be open, or both."""

    group: str
    paused_at: datetime | None
    paused_by: str
    breaker_opened_at: datetime | None
    breaker_reason: str


def standstills(groups: Iterable[ConsumerGroup] | None = None) -> list[Standstill]:
    """Return every group that stands still, by name. `groups`: the rows, if the caller has read them."""
    return [
        Standstill(one.name, one.paused_at, one.paused_by, one.breaker_opened_at, one.breaker_reason)
        for one in (resumable() if groups is None else groups)
        if one.paused_at or one.breaker_opened_at
    ]


def problems(found: Iterable[Standstill]) -> list[Problem]:
    """Return each open circuit breaker. A pause is no problem, since an operator wanted it."""
    return [
        Problem(
            f"The circuit breaker of group {one.group} is open since {one.breaker_opened_at:{TIME}}: "
            f"{_without_text(one.breaker_reason)}. Mend what fails: a probe then closes it by itself, or "
            f"manage.py eventbus resume {one.group} does.",
            kind="breaker",
            about=one.group,
            since=one.breaker_opened_at,
        )
        for one in found
        if one.breaker_opened_at is not None
    ]


def _without_text(reason: str) -> str:
    """Return a reason with the class of the last error alone. Notices and pages for everybody must quote no payload."""
    counts, marked, last = reason.partition(LAST_ERROR)
    return f"{counts}{marked}{last.partition(':')[0]}"


def unknown(names: Iterable[str]) -> list[str]:
    """Return those of these names that no group has."""
    wanted = set(names)
    return sorted(wanted - set(ConsumerGroup.objects.filter(name__in=wanted).values_list("name", flat=True)))


def pausable() -> QuerySet[ConsumerGroup]:
    """Return every group that is not paused, by name."""
    return ConsumerGroup.objects.filter(paused_at__isnull=True).order_by("name")


def resumable() -> QuerySet[ConsumerGroup]:
    """Return every group that stands still, by name."""
    return ConsumerGroup.objects.filter(_STANDS_STILL).order_by("name")


def pause(group: ConsumerGroup, who: str) -> None:
    """Pause a group until it is resumed. Raises PauseRefused."""
    with failpoints.atomic("pause"):
        row = ConsumerGroup.objects.select_for_update().get(pk=group.pk)
        if row.paused_at is not None:
            raise PauseRefused(_("Group %(group)s is paused already.") % {"group": row.name})
        row.paused_at, row.paused_by = clock.now(), who[:WHO_CHARACTERS_MAX]
        row.save(update_fields=["paused_at", "paused_by"])
        _note(OperatorAction.Action.PAUSE, row, who)


def resume(group: ConsumerGroup, who: str) -> None:
    """Resume a paused group, and close its circuit breaker. Raises PauseRefused.

    The circuit breaker then judges only by later attempts.
    """
    with failpoints.atomic("resume"):
        row = ConsumerGroup.objects.select_for_update().get(pk=group.pk)
        if row.paused_at is None and row.breaker_opened_at is None:
            raise PauseRefused(
                _("Group %(group)s is not paused, and its circuit breaker is closed.") % {"group": row.name}
            )
        _note(OperatorAction.Action.RESUME, row, who)
        row.paused_at, row.paused_by, row.breaker_opened_at, row.breaker_reason = None, "", None, ""
        row.save(update_fields=["paused_at", "paused_by", "breaker_opened_at", "breaker_reason"])


def close_breaker(name: str, who: str) -> None:
    """Close the open circuit breaker of a group, and leave its pause as it is. Raises PauseRefused."""
    with transaction.atomic():
        row = ConsumerGroup.objects.select_for_update().filter(name=name, breaker_opened_at__isnull=False).first()
        if row is None:
            raise PauseRefused(_("The circuit breaker of group %(group)s is closed.") % {"group": name})
        _note(OperatorAction.Action.BREAKER, row, who)
        row.breaker_opened_at, row.breaker_reason = None, ""
        row.save(update_fields=["breaker_opened_at", "breaker_reason"])


def close_service(name: str, who: str, *, close: Callable[[str], None]) -> None:
    """Let `close` close the circuit breaker of a service, and record it in the audit trail if it succeeds."""
    with transaction.atomic():
        OperatorAction.objects.create(
            at=clock.now(),
            who=who[:WHO_CHARACTERS_MAX],
            action=OperatorAction.Action.BREAKER,
            key=name[:KEY_CHARACTERS_MAX],
        )
        close(name)


def _note(action: OperatorAction.Action, group: ConsumerGroup, who: str) -> None:
    OperatorAction.objects.create(
        at=clock.now(), who=who[:WHO_CHARACTERS_MAX], action=action, group=group.name, error=group.breaker_reason
    )
