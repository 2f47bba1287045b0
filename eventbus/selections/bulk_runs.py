"""Bulk runs: one action over exactly the dead letters that an operator was shown, carried out in the background.

An operator sees a number of letters and chooses an action. `freeze` stores their ids, and `begin` follows once the
operator has said yes to that number. The process that dispatches then calls `step`: each step stores the requests for
some letters and how far the run is, in one transaction. So a run that a crash has stopped goes on behind the last
letter that it dealt with. Letters that die meanwhile are not in the run.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from eventbus import clock
from eventbus.errors import BusError
from eventbus.models import WHO_CHARACTERS_MAX, BulkRun, DeadLetter, OperatorAction
from eventbus.repairs import dead_letters
from eventbus.repairs.dead_letters import LETTERS_AT_ONCE, Decided
from eventbus.selections import row_ids
from eventbus.selections.failure_groups import FailureGroup, letters_of

SELECTED_MAX = 20_000  # letters of one run: their ids are in the page that shows them, 140 kB of it at most
FORGOTTEN_DAYS = 1  # a selection to which nobody said yes is deleted after so long
UNDOABLE = (BulkRun.Action.DISCARD, BulkRun.Action.SKIP)  # a skip discards events that wait in the log

_FROZEN, _RUNNING, _DONE = BulkRun.State.FROZEN, BulkRun.State.RUNNING, BulkRun.State.DONE
_DESCRIBED = ("cause", "group", "type", "handler", "error_class", "code_line")


class RunRefused(BusError):
    """A bulk run is refused: its letters are gone, it began already, it is another operator's, or it was undone."""


class RunProgress(msgspec.Struct, frozen=True):
    """The progress of a run. `waiting`: letters whose request is stored, and no worker has carried it out yet."""

    total: int
    asked: int
    refused: int
    waiting: int

    @property
    def done(self) -> int:
        """The number of letters that are dealt with."""
        return max(self.asked - self.waiting, 0) + self.refused


def shown_ids(cause: str) -> list[int]:
    """Return the letters of a cause for which an action can be chosen now, the oldest SELECTED_MAX of them."""
    letters = letters_of(cause).filter(dead_letters.possible(DeadLetter.Request.DISCARD)).order_by("id")
    return list(letters.values_list("id", flat=True)[:SELECTED_MAX])


def freeze(
    found: FailureGroup, action: BulkRun.Action, ids: Sequence[int], who: str, *, with_parked: bool = False
) -> BulkRun:
    """Store the selection of those of these letters that are still as they were shown. Raises RunRefused.

    `with_parked`: a discard also includes the events that are parked behind the letters now.
    """
    forget_old()
    open_now = letters_of(found.cause).filter(dead_letters.possible(DeadLetter.Request.DISCARD))
    among = open_now.filter(id__range=(min(ids), max(ids))) if ids else open_now.none()
    chosen = sorted(set(among.values_list("id", flat=True)) & set(ids))
    parked, through = dead_letters.behind(chosen) if with_parked else (0, None)
    described = {name: getattr(found, name) for name in _DESCRIBED}
    return _store(BulkRun(action=action, who=who, through=through, parked=parked, **described), chosen)


def freeze_undo(run: BulkRun, who: str) -> BulkRun:
    """Store the selection of what a run has discarded, to restore it. Raises RunRefused.

    It holds the oldest SELECTED_MAX events. Once they are restored, the rest can be restored by another run.
    """
    forget_old()
    if run.action not in UNDOABLE or run.decision is None:
        raise RunRefused(_("Only a discard or a skip can be undone."))
    if run.state != _DONE or progress(run).waiting:
        raise RunRefused(_("This discard is still under way. Wait until it is done."))
    undoing = BulkRun.objects.filter(undoes=run.pk)
    ids = list(undoable(run).values_list("id", flat=True)[:SELECTED_MAX])
    if undoing.filter(state=_RUNNING).exists() or (not ids and undoing.filter(state=_DONE).exists()):
        raise RunRefused(_("This discard was undone already."))
    undoing.filter(state=_FROZEN).delete()  # asked for, and never said yes to
    described = {name: getattr(run, name) for name in _DESCRIBED}
    return _store(BulkRun(action=BulkRun.Action.RESTORE, who=who, undoes=run.pk, **described), ids)


def undoable(run: BulkRun) -> QuerySet[DeadLetter]:
    """Return the events that a run has discarded, and that can be restored now."""
    if run.decision is None:
        return DeadLetter.objects.none()
    return dead_letters.discarded(run.decision).filter(dead_letters.possible(DeadLetter.Request.RESTORE))


def _store(run: BulkRun, ids: Sequence[int]) -> BulkRun:
    if not ids:
        raise RunRefused(_("None of these letters is left as it was shown. Look again."))
    run.who, run.shown_at = run.who[:WHO_CHARACTERS_MAX], clock.now()
    run.ids, run.total = row_ids.written(ids), len(ids)
    try:
        with transaction.atomic():
            run.save()
    except IntegrityError:  # another operator undoes the same run at this moment
        raise RunRefused(_("This discard was undone already.")) from None
    return run


def forget_old() -> None:
    """Delete the frozen runs to which nobody said yes for FORGOTTEN_DAYS."""
    before = clock.now() - timedelta(days=FORGOTTEN_DAYS)
    BulkRun.objects.filter(state=_FROZEN, shown_at__lt=before).delete()


def letter_ids(run: BulkRun) -> list[int]:
    """Return the ids of the letters of a run, in order."""
    return row_ids.read(run.ids, at_most=run.total)


def begin(run: BulkRun, who: str) -> None:
    """Let a frozen run begin, and record it in the audit trail with its number. Raises RunRefused.

    If the number of parked events has changed since it was shown, store the new number and refuse: ask again.
    """
    _refuse_other_number(run)
    now, state = clock.now(), _DONE if run.action == BulkRun.Action.EXPORT else _RUNNING
    with transaction.atomic():
        mine = BulkRun.objects.filter(pk=run.pk, state=_FROZEN, who=who[:WHO_CHARACTERS_MAX])
        frozen = mine.exclude(action=BulkRun.Action.SKIP)  # `skips.begin` begins those
        if not frozen.update(state=state, began_at=now, ended_at=now if state == _DONE else None):
            raise RunRefused(_("This selection has begun already, or is another operator’s."))
        action = OperatorAction.objects.create(
            at=now,
            who=run.who,
            action=run.action,
            group=run.group,
            type=run.type,
            error=f"{run.error_class} {run.code_line}".strip(),
            count=run.total + run.parked,
            selection=run.pk,
        )
        OperatorAction.objects.filter(pk=action.pk).update(decision=action.pk)
        BulkRun.objects.filter(pk=run.pk).update(decision=action.pk)
    run.refresh_from_db()


def _refuse_other_number(run: BulkRun) -> None:
    if run.through is None or run.state != _FROZEN:
        return
    parked, _last = dead_letters.behind(letter_ids(run), through=run.through)
    if parked != run.parked:
        BulkRun.objects.filter(pk=run.pk, state=_FROZEN).update(parked=parked)
        raise RunRefused(_("The number of parked events has changed. Look again."))


def is_due() -> bool:
    """Return True if a run has more to do."""
    return BulkRun.objects.filter(state=_RUNNING).exists()


def step() -> None:
    """Deal with the next letters of the oldest run, if there is one."""
    run = BulkRun.objects.filter(state=_RUNNING).order_by("id").first()
    if run is None:
        return
    ids = [one for one in letter_ids(run) if one > run.passed][:LETTERS_AT_ONCE]
    if not ids:
        BulkRun.objects.filter(pk=run.pk, state=_RUNNING).update(state=_DONE, ended_at=clock.now())
        return
    found = Decided(decision=run.decision or 0)

    def passed(asked: int) -> None:
        mine = BulkRun.objects.filter(pk=run.pk, state=_RUNNING, passed=run.passed)
        if not mine.update(passed=ids[-1], asked=F("asked") + asked, refused=F("refused") + len(ids) - asked):
            raise RunRefused(_("Another process carries this run out."))

    dead_letters.decide_some(
        found, ids, DeadLetter.Request(run.action), run.who, through=run.through, in_transaction=passed
    )


def progress(run: BulkRun) -> RunProgress:
    """Return the progress of a run."""
    waiting = 0
    if run.decision is not None:
        waiting = DeadLetter.objects.filter(decision=run.decision, request__gt="").count()
    return RunProgress(total=run.total, asked=run.asked, refused=run.refused, waiting=waiting)
