"""The audit trail of operators' actions, for readers: a decision about many letters is one entry."""

from collections.abc import Sequence

import msgspec
from django.db.models import Count

from eventbus import clock
from eventbus.events import KEY_CHARACTERS_MAX
from eventbus.models import WHO_CHARACTERS_MAX, OperatorAction


class Entry(msgspec.Struct, frozen=True):
    """An action, and how many events or rows it was about."""

    action: OperatorAction
    count: int


def note(action: OperatorAction.Action, who: str, *, about: str, count: int = 0) -> None:
    """Record an action that is no single transaction, before it begins. `about`: what it is about, in a few words."""
    OperatorAction.objects.create(
        at=clock.now(), who=who[:WHO_CHARACTERS_MAX], action=action, key=about[:KEY_CHARACTERS_MAX], count=count
    )


def counted(actions: Sequence[OperatorAction]) -> list[Entry]:
    """Return these actions with their numbers. Of a decision about dead letters, those that were asked are counted."""
    decisions = [one.decision for one in actions if one.decision is not None and one.selection is None]
    letters = OperatorAction.objects.filter(decision__in=decisions).order_by().values_list("decision")
    numbers = dict(letters.annotate(Count("id")))
    return [Entry(one, max(one.count, numbers.get(one.decision or 0, 0))) for one in actions]
