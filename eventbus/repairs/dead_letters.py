"""Store operators' decisions about dead letters, one or thousands at once.

`decide` only writes the request into the dead letter's row, and an OperatorAction with the operator's name. Later a
worker of the group carries the request out (`dead_letter_requests.apply_request`). It locks the group's Progress row
meanwhile, so no other worker handles events of that partition. An operator can undo a discard for UNDO_DAYS.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

import msgspec
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from eventbus import clock, failpoints
from eventbus.errors import BusError
from eventbus.models import WHO_CHARACTERS_MAX, DeadLetter, OperatorAction, ParkedEvent

UNDO_DAYS = 7  # a discard can be undone for so long: an operator may notice after a weekend or an illness
LETTERS_AT_ONCE = 500  # per transaction, which takes some tens of milliseconds: a visitor's request may wait for it

_OPEN, _DISCARDED = DeadLetter.State.OPEN, DeadLetter.State.DISCARDED
_UNASKED = Q(request=DeadLetter.Request.NONE)


class DecisionRefused(BusError):
    """The decision about a dead letter is refused: it is gone, decided already, or waits for an earlier decision."""


class Decided(msgspec.Struct):
    """The result of a decision: the dead letters that now have the request, and for each other one why it is refused.

    `decision` is the number under which the whole decision can be undone.
    """

    asked: list[DeadLetter] = []
    refused: list[str] = []
    decision: int = 0


def undoable_since() -> datetime:
    """Return the time since which discards can be undone. Older ones may be pruned."""
    return clock.now() - timedelta(days=UNDO_DAYS)


def possible(action: DeadLetter.Request) -> Q:
    """Return the filter for dead letters for which this action can be requested now."""
    if action == DeadLetter.Request.RESTORE:
        return _UNASKED & Q(state=_DISCARDED, discarded_at__gte=undoable_since())
    return _UNASKED & Q(state=_OPEN)


def decide(letter_ids: Iterable[int], action: DeadLetter.Request, who: str, *, through: int | None = None) -> Decided:
    """Request an action for exactly these dead letters.

    Those with an earlier request are refused, and the others go on. `through`: a discard also includes the events
    parked behind each dead letter, up to the parked event with this id.
    """
    found, ids = Decided(), sorted(set(letter_ids))
    for at in range(0, len(ids), LETTERS_AT_ONCE):
        decide_some(found, ids[at : at + LETTERS_AT_ONCE], action, who, through=through)
    return found


def decide_some(
    found: Decided,
    ids: Collection[int],
    action: DeadLetter.Request,
    who: str,
    *,
    through: int | None = None,
    in_transaction: Callable[[int], None] = lambda asked: None,
) -> None:
    """Store the requests for some dead letters, LETTERS_AT_ONCE at most, in one transaction, and add them to `found`.

    An earlier request stays: a worker may be about to carry it out. `in_transaction(number of requests)` runs last in
    the same transaction.
    """
    with failpoints.atomic("request"):
        rows = DeadLetter.objects.select_for_update().filter(possible(action), id__in=ids).order_by("id")
        asked = list(rows.defer("payload", "headers", "traceback"))
        _note(found, asked, action, who[:WHO_CHARACTERS_MAX])
        mine = DeadLetter.objects.filter(id__in=[dead_letter.pk for dead_letter in asked])
        mine.update(request=action, through=through, decision=found.decision)
        in_transaction(len(asked))
    for dead_letter in asked:
        dead_letter.request = action
    found.asked += asked
    found.refused += _why_refused(set(ids) - {dead_letter.pk for dead_letter in asked})


def _note(found: Decided, asked: Iterable[DeadLetter], action: DeadLetter.Request, who: str) -> None:
    """Record the operator's action on each dead letter. The first action's id becomes the decision's number."""
    now = clock.now()
    actions = [
        OperatorAction(
            at=now,
            who=who,
            action=action,
            group=dead_letter.group,
            event_id=dead_letter.event_id,
            type=dead_letter.type,
            key=dead_letter.key,
            error=f"{dead_letter.error_class}: {dead_letter.error}",
            decision=found.decision or None,
        )
        for dead_letter in asked
    ]
    if actions and not found.decision:
        actions[0].save()
        found.decision = actions[0].pk
        OperatorAction.objects.filter(pk=found.decision).update(decision=found.decision)
        for one in actions:
            one.decision = found.decision
        del actions[0]
    OperatorAction.objects.bulk_create(actions)


def behind(letter_ids: Collection[int], *, through: int | None = None) -> tuple[int, int]:
    """Count the events that are parked behind these dead letters now.

    Also return the highest id of all parked events, or `through`: later ones are not counted.
    """
    heads = DeadLetter.objects.filter(id__in=letter_ids, parks=True, state=_OPEN)
    same = {name: OuterRef(name) for name in ("group", "topic", "key")}
    last = through
    if last is None:
        last = ParkedEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
    return ParkedEvent.objects.filter(Exists(heads.filter(**same)), id__lte=last).count(), last


def discarded(decision: int) -> QuerySet[DeadLetter]:
    """Return the dead letters that a decision has discarded so far, and the events behind them that went with them."""
    return DeadLetter.objects.filter(decision=decision, state=_DISCARDED).order_by("id")


def _why_refused(ids: Collection[int]) -> list[str]:
    letters = DeadLetter.objects.defer("payload", "headers", "traceback").in_bulk(ids) if ids else {}
    return [_why(letters.get(id)) % {"id": id, "days": UNDO_DAYS} for id in sorted(ids)]


def _why(dead_letter: DeadLetter | None) -> str:
    if dead_letter is None:
        return _("Dead letter %(id)d is gone: it was requeued.")
    if dead_letter.request:
        return _("Dead letter %(id)d waits for a worker to apply an earlier request.")
    if dead_letter.state == _OPEN:
        return _("Dead letter %(id)d was not discarded.")
    if dead_letter.discarded_at is None or dead_letter.discarded_at < undoable_since():
        return _("Dead letter %(id)d was discarded more than %(days)d days ago.")
    return _("Dead letter %(id)d was discarded already.")
