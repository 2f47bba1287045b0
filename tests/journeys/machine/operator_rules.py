"""What operators do on a day, and what gives them work, as rules of the shop's machine.

Each command is typed as operators type it. Its effect on an event is remembered by name (`tests.event_history.Told`):
an event that is let go, or handled out of its turn, was asked for.

The database goes back to a backup while everything else goes on. A backup is a savepoint of the day, and its restore is
a rollback to it. The payment provider, the letterbox and a log elsewhere are not restored: they are ahead of the
database. The shop stays closed until nothing differs any more.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from django.core import mail
from django.db import OperationalError, transaction
from django.db.models import F, Q, QuerySet
from hypothesis import strategies as st
from hypothesis.stateful import rule

from eventbus import backends, clock
from eventbus.models import DeadLetter, OutboxRow, ParkedEvent, Progress
from eventbus.publishing.relay import Relay
from eventbus.testing import Crash, forget, settle
from mcommerce.orders.models import Order
from outside import circuit_breaker
from tests import event_history
from tests.event_history import Event, Told
from tests.eventbus.test_commands import run
from tests.journeys.machine import invariants
from tests.journeys.machine.environment import GROUPS, Floor
from tests.journeys.machine.shopper_rules import ShopMachine
from tests.liveness_oracle import STANDS_SECONDS, Liveness

IN_DOUBT = "OutcomeUnknown"  # nobody knows whether the mail was sent: it is let go, never tried again
MAIL = "mail"  # its events may stay discarded: nobody's order waits for a mail
PROJECTION = "orders"  # the group that can be shown the products again
ROUTINE = ("pause", "replay", "prune", "republish", "restored", "reconcile")
WORK = ("spoil", "lose", "refuse")
RECONCILED_MAX = 20  # rounds of repair, a minute each: what is parked is tried again within them

ALL = Q()
TURNS = 60  # more than there ever are commands to choose from
ROUTINE_EVERY = 4  # turns, while there is something to do

turns = st.integers(0, TURNS - 1)
teams = st.sampled_from(GROUPS)


@dataclass
class Backup:
    """What the database holds at this time, and what the day knows of it."""

    savepoint: str
    came: dict[UUID, int]
    left_in_cart: dict[UUID, int]
    told: Told
    paused: set[str]
    lost: set[Event]
    mails: int


class OperatedMachine(ShopMachine):
    """Somebody is at the console of a shop whose database may be restored."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor)
        self.told = Told()
        self.paused: set[str] = set()
        self.lost: set[Event] = set()
        self.restored = False
        self.ahead: list[tuple[str, str]] = []  # what goes wrong as soon as it can, and for which group
        self.live = Liveness()
        self.backup = self._back_up()

    def look(self, *, at_rest: bool = False) -> None:
        if at_rest:
            clock.advance(seconds=STANDS_SECONDS + 1)
            settle(raise_errors=False)
        check = invariants.check_at_rest if at_rest else invariants.check
        if at_rest or not self.unheard:
            assert not (stand := list(self.live.problems(self.paused))), f"I8: {stand}"
        check(self.came, self.company, self.told, restored=self.restored)
        if at_rest:
            assert not (differ := self.differences()), f"I9: {differ}"

    def differences(self) -> list[str]:
        """What `reconcile` finds, and repairs if it can."""
        code, said, complaint = run("reconcile", "--json")
        assert code < 2, complaint
        found = json.loads(said)["differences"]
        if found:
            run("reconcile", "--repair", f"--expect={len(found)}", "--json")
        return [f"{one['name']}: {one['what']}" for one in found]

    @rule(what=st.sampled_from(WORK), team=teams)
    def go_wrong(self, what: str, team: str) -> None:
        """Something that an operator has to see to is ahead."""
        self.ahead.append((what, team))

    @rule(turn=turns, team=teams)
    def operate(self, turn: int, team: str) -> None:
        """Somebody types a command: mostly one for which there is something to do."""
        to_do = self._to_do()
        sensible = to_do if to_do and turn % ROUTINE_EVERY else [(what, team) for what in ROUTINE]
        what, whose = sensible[turn % len(sensible)]
        with suppress(Crash, OperationalError):  # the trouble that was ahead: it is typed again another time
            self._do(what, whose)
        self.happened()

    def _do(self, what: str, team: str) -> int:
        """How much was done. It is counted, also if a command of the evening does it."""
        done = int(getattr(self, f"_{what}")(team))
        self.floor.typed[what] += bool(done)
        return done

    def _to_do(self) -> list[tuple[str, str]]:
        """Which commands have something to do, and for which group."""
        dead = self._teams(DeadLetter.State.OPEN, ~Q(error_class=IN_DOUBT))
        return [
            *(("resume", team) for team in sorted(self.paused)),
            *(("redeliver", team) for team in sorted({team for team, _ in self.lost})),
            *((what, team) for team in dead for what in ("requeue", "discard", "discard_with_parked")),
            *(("undo", team) for team in self._teams(DeadLetter.State.DISCARDED)),
            *(("resend", MAIL) for _ in _refused()[:1]),
        ]

    # --- what gives them work ----------------------------------------------------------------------------------------

    def happened(self) -> None:
        if not self.unheard:
            for what, team in list(self.ahead):
                with suppress(Crash, OperationalError):
                    if self._do(what, team):
                        self.ahead.remove((what, team))
        super().happened()

    def _spoil(self, team: str) -> int:
        """What is handled next is dead at once: by this group, or by whichever is first where that is given most."""
        self.floor.spoil(team if team == MAIL else "")
        return 1

    def _lose(self, team: str) -> int:
        """Somebody who repairs a table by hand moves a group past the next event: this one, or who has one to pass."""
        with self._calm():
            Relay(backends.current()).step()
        unhandled = {one.event for one in event_history.unhandled()}
        for row in sorted(Progress.objects.filter(group__in=GROUPS), key=lambda row: (row.group != team, row.pk)):
            ahead = OutboxRow.objects.filter(topic=row.topic, partition=row.partition, offset__gte=row.offset)
            there = ahead.order_by("offset").first()
            if there is not None and (event := (row.group, there.event_id.hex)) in unhandled:
                Progress.objects.filter(id=row.pk).update(offset=there.offset + 1, epoch=F("epoch") + 1)
                self.lost.add(event)
                self.told.late.add(event)
                forget()  # who read there is none any more
                return 1
        return 0

    def _unhandled(self, team: str, event_id: str) -> bool:
        return any(one.event == (team, event_id) for one in event_history.unhandled())

    def _refuse(self, team: str) -> int:
        """The log refuses an event that waits; those behind it in its key wait with it."""
        waits = OutboxRow.objects.filter(offset=None, rejected="").order_by("id").first()
        return 0 if waits is None else OutboxRow.objects.filter(id=waits.pk).update(rejected="too large")

    # --- commands -----------------------------------------------------------------------------------------------------

    def _pause(self, team: str) -> int:
        code = run("eventbus", "pause", team)[0]
        assert code == int(team in self.paused)
        self.paused.add(team)
        return 1 - code

    def _resume(self, team: str) -> int:
        code = run("eventbus", "resume", team)[0]
        assert code == int(team not in self.paused)
        self.paused.discard(team)
        return 1 - code

    def _requeue(self, team: str) -> int:
        letters = list(_undecided().filter(group=team).exclude(error_class=IN_DOUBT))
        if not letters:
            return 0
        _typed("requeue", *(str(letter.pk) for letter in letters))
        self.told.bring_back(_event(letter) for letter in letters if not letter.parks)
        return len(letters)

    def _discard(self, team: str, *options: str) -> int:
        letters = list(_undecided().filter(group=team))
        behind = _behind(letters) if options else []
        if letters:
            named = {_event(letter) for letter in letters} | set(behind)
            _typed("discard", "--group", team, "--expect", str(len(named)), *options)
            self.told.discard(named)
        return len(letters)

    def _discard_with_parked(self, team: str) -> int:
        return self._discard(team, "--with-parked")

    def _undo(self, team: str) -> int:
        letters = list(_undecided(DeadLetter.State.DISCARDED).filter(group=team))
        if letters:
            _typed("undo", "--group", team)
            self.told.bring_back(map(_event, letters))
        return len(letters)

    def _resend(self, team: str) -> int:
        refused = _refused().count()
        if refused:
            _typed("resend", "--all")
        return refused

    def _redeliver(self, team: str) -> int:
        """What nobody has handled and was passed over is found by the command, whatever else is."""
        mine = {event for event in self.lost if event[0] == team and self._unhandled(*event)}
        with self._calm():
            code, _, complaint = run("eventbus", "redeliver", team, "--lost")
        assert code == 0 or not mine, f"I7: {team} has lost {mine}, and redeliver says {complaint}"
        self.lost = {event for event in self.lost if event[0] != team}
        return len(mine)

    def _replay(self, team: str) -> bool:
        with self._calm():
            return run("eventbus", "replay", PROJECTION, "--topic", "products", "--all")[0] == 0

    def _prune(self, team: str) -> bool:
        with self._calm():
            return run("eventbus", "prune", "--older-than", "0.1")[0] == 0

    def _republish(self, team: str) -> bool:
        """In memory it is refused: there the log is the outbox."""
        with self._calm():
            return run("eventbus", "republish", "--since", f"{clock.now():%Y-%m-%d}T00:00:00Z")[0] == 0

    def _restored(self, team: str) -> bool:
        with self._calm():
            assert run("eventbus", "restored", "--apply")[0] == 0
        return True

    def _reconcile(self, team: str) -> bool:
        """It looks, and repairs as many as it has seen."""
        return not self.company.trouble and bool(self.differences())

    @contextmanager
    def _calm(self) -> Iterator[None]:
        """What reads the log in a process of its own, which nobody begins anew, has no faults."""
        if self.faults is None:
            yield
            return
        self.faults.quiet()
        try:
            yield
        finally:
            self.faults.resume()

    # --- the database goes back --------------------------------------------------------------------------------------

    @rule(back=st.booleans())
    def keep(self, back: bool) -> None:
        """Make a backup, or restore the last one: each day begins with one."""
        if back:
            self.restore()
        else:
            self.backup = self._back_up()

    def _back_up(self) -> Backup:
        return Backup(
            savepoint=transaction.savepoint(),
            came=dict(self.came),
            left_in_cart=dict(self.left_in_cart),
            told=self.told.copy(),
            paused=set(self.paused),
            lost=set(self.lost),
            mails=len(mail.outbox),
        )

    def restore(self) -> None:
        """All processes stop, the database is restored, and an operator does what docs/operations.md says."""
        self.floor.typed["restore"] += 1
        self.restored = True
        forget()
        circuit_breaker.forget()
        transaction.savepoint_rollback(self.backup.savepoint)
        kept, self.live = self.backup, Liveness()
        self.came, self.left_in_cart, self.told = dict(kept.came), dict(kept.left_in_cart), kept.told.copy()
        self.paused, self.lost = set(kept.paused), set(kept.lost)
        del mail.outbox[kept.mails :]  # who got them may get them again
        self.unheard = 0
        self.floor.trouble.order("", "")
        self.company.trouble = ""
        with self._calm():
            code, said, complaint = run("eventbus", "restored", "--apply")
            assert code == 0, complaint
            self.floor.typed["forgotten"] += "it has forgotten events" in said  # where the log lies elsewhere
            self.reconcile_all()

    def reconcile_all(self) -> None:
        """Until nothing differs."""
        for _ in range(RECONCILED_MAX):
            settle(raise_errors=False)
            self._operator()
            settle(raise_errors=False)
            if not (differ := self.differences()):
                return
            self.floor.typed["reconcile"] += 1
            clock.advance(minutes=1)
        raise AssertionError(f"I9: repaired for {RECONCILED_MAX} minutes, and still: {differ}")

    def is_here(self, order: UUID) -> bool:
        return not self.restored or Order.objects.filter(id=order).exists()

    def wait_for_the_end(self) -> None:
        super().wait_for_the_end()
        if self.restored:  # somebody may have paid where the shop sends nobody any more
            self.reconcile_all()
            super().wait_for_the_end()

    # --- the evening --------------------------------------------------------------------------------------------------

    def _operator(self) -> int:
        """All that was decided for a while is taken back, but that some mails are not sent."""
        self.floor.spoiled.clear()
        done = [self._do("resume", team) for team in list(self.paused)]
        discarded = self._teams(DeadLetter.State.DISCARDED, ~Q(group=MAIL))
        done += [self._do("undo", team) for team in discarded]
        done += [self._do("redeliver", team) for team in {team for team, _ in self.lost}]
        done += [self._do("requeue", team) for team in self._teams(DeadLetter.State.OPEN, ~Q(error_class=IN_DOUBT))]
        done += [self._do("resend", MAIL), self._let_doubts_go()]
        return sum(done)

    def _teams(self, state: str, which: Q = ALL) -> list[str]:
        """Whose dead letters wait for somebody."""
        return sorted(set(_undecided(state).filter(which).values_list("group", flat=True)))

    def _let_doubts_go(self) -> int:
        letters = list(_undecided().filter(error_class=IN_DOUBT))
        if letters:
            _typed("discard", *(str(letter.pk) for letter in letters))
            self.told.discard(map(_event, letters))
        return len(letters)


def _undecided(state: str = DeadLetter.State.OPEN) -> QuerySet[DeadLetter]:
    return DeadLetter.objects.filter(state=state, request="").order_by("id")


def _refused() -> QuerySet[OutboxRow]:
    return OutboxRow.objects.filter(~Q(rejected=""), offset=None)


def _event(row: DeadLetter | ParkedEvent) -> Event:
    return row.group, row.event_id.hex


def _behind(letters: list[DeadLetter]) -> list[Event]:
    """What waits behind these now."""
    heads = {(letter.group, letter.topic, letter.key) for letter in letters if letter.parks}
    return [_event(one) for one in ParkedEvent.objects.all() if (one.group, one.topic, one.key) in heads]


def _typed(*line: str) -> str:
    """What the command says. It has something to do, and does it."""
    code, said, complaint = run("eventbus", *line)
    assert (code, complaint) == (0, ""), f"{line}: {code} {complaint}"
    return said
