"""A day in the shop, driven from inside its process: whoever can act acts; when all is quiet, time jumps ahead."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.db import connection
from django.db.models import Max, Min, Q, QuerySet

from eventbus import clock, registry, wakeups
from eventbus.errors import CrashedRepeatedly
from eventbus.failures.effects import CRASHES_MAX
from eventbus.models import ConsumerGroup, DeadLetter, OutboxRow, ParkedKey, Progress, ReplayRun, Timer
from eventbus.operations import pausing, status
from eventbus.repairs import replay
from eventbus.repairs.replay_filter import ReplayFilter
from mcommerce.orders.models import Order
from tests.sweep import kafka_day, poison, shoppers
from tests.sweep.operator_process import tidy_up
from tests.sweep.provider_process import Books
from tests.sweep.run import START, Run

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.04  # between looks at whether all is quiet
MINUTE_SECONDS = 60  # time jumps to the next full minute: what is due within it comes together
TRIES = 10  # in a row, LOOK_SECONDS apart: a busy machine must not make a shopper give up until the deadline to pay
ALL = Q()
# In one statement, which sees one moment, and costs a look little: there are dozens on a day.
SOMETHING_TO_DO = """
WITH
    braked AS (SELECT name FROM eventbus_consumergroup WHERE breaker_opened_at IS NOT NULL),
    ends AS (SELECT topic, partition, max(log_offset) AS last FROM eventbus_outbox
        WHERE log_offset IS NOT NULL GROUP BY topic, partition)
SELECT EXISTS (SELECT 1 FROM eventbus_outbox WHERE log_offset IS NULL AND withdrawn_at IS NULL)
    OR EXISTS (SELECT 1 FROM eventbus_timer WHERE due <= %(now)s)
    OR EXISTS (SELECT 1 FROM eventbus_parkedkey
        WHERE state = %(retrying)s AND due_at <= %(now)s AND "group" NOT IN (SELECT name FROM braked))
    OR EXISTS (SELECT 1 FROM eventbus_deadletter WHERE request <> '')
    OR EXISTS (SELECT 1 FROM eventbus_progress JOIN ends USING (topic, partition)
        WHERE log_offset <= last AND "group" NOT IN (SELECT name FROM braked))
"""
DAY_SECONDS = 24 * 3600  # of the run's own time; what has not ended by then is stuck


class Journey:
    """What is left of the day, whoever died in it before."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._books = Books(run)
        self._shoppers = shoppers.all_of(run)
        self._failures: Counter[str] = Counter()  # of each, in a row
        random.Random(run.case.seed).shuffle(self._shoppers)
        self._later: dict[str, Callable[[], bool]] = {"janitor": partial(tidy_up, run.folder)}
        if run.servers:  # a reader who comes and goes, who says the log again, and who loses it
            self._later = {
                "hand": partial(kafka_day.lend_a_hand, run),
                "echo": partial(kafka_day.say_again, run.folder),
                **self._later,
                "flood": partial(kafka_day.flood, run),
            }

    def play(self) -> None:
        """Until nothing more can happen."""
        while True:
            quiet = self._quiet()  # asked first: who could not act afterwards cannot act now either
            if self._somebody_acts():
                continue
            if not quiet:
                time.sleep(LOOK_SECONDS)  # between two looks; whoever started this process has the deadline
            elif not self._jump():
                return

    def _somebody_acts(self) -> bool:
        folder = self._run.folder
        acts = {
            "boss": partial(let_rest, folder),  # before the dishes, which so come to a group that stands still
            "cook": poison.cook,
            "replay": partial(show_again, folder),
            "operator": self._operator,
            "kitchen": poison.fish,
        }
        if self._run.clock.seconds() > START:  # once what happened is past
            acts |= self._later
        acts |= {shopper.name: shopper.act for shopper in self._shoppers}
        acted = [self._acts(name, act) for name, act in acts.items()]
        return any(acted)

    def _acts(self, name: str, act: Callable[[], bool]) -> bool:
        """Who meets a failure tries again soon, and after a few times when some time has gone by."""
        try:
            acted = act()
        except Exception as error:
            logger.warning("%s met a failure: %s", name, error, exc_info=True)
            self._failures[name] += 1
            time.sleep(LOOK_SECONDS)
            return self._failures[name] <= TRIES
        self._failures[name] = 0
        return acted

    def _operator(self) -> bool:
        """Mends, requeues and discards. A mail in doubt is sent again only if the letterbox does not hold it."""
        if poison.mend_the_kitchen(self._run.folder):
            return True
        if not is_somebody_needed():
            return False
        letter = DeadLetter.objects.filter(state=DeadLetter.State.OPEN, request="").order_by("id")[0]
        if letter.error_class == CrashedRepeatedly.__name__:
            if not self._so_many_died(letter):
                return False  # it was set aside too early: that is a violation
            again = True  # the deaths were ours, and none of its doing
        elif letter.group == "sweep":
            if again := letter.key == "spoiled":
                (self._run.folder / poison.MENDED).touch()
        elif letter.group == "mail" and letter.error_class == "OutcomeUnknown":
            again = letter.type.split(".")[1] not in shoppers.mails(self._run, Order.objects.get(id=letter.key))
        else:
            return False  # nobody knows why it died: that is a violation
        request = status.request_requeue if again else status.request_discard
        request(letter, "operator")
        wakeups.appended.ring()  # a worker that has nothing to do would look in half a second
        return True

    def _so_many_died(self, letter: DeadLetter) -> bool:
        """Whether an event was set aside for deaths that there were, when it was first seen to be."""
        early: Path = self._run.folder / f"early-{letter.id}"
        if self._run.deaths < CRASHES_MAX:
            early.touch()
        return not early.exists()

    def _quiet(self) -> bool:
        """Whether nothing will happen before time goes on. At one moment, or what moves meanwhile is not seen.

        A webhook makes events, and an event's effect makes webhooks: so the company is asked before and after.
        """
        unseen = bool(self._run.servers) and kafka_day.is_a_loss_unseen()
        return not unseen and not self._webhook_due() and all_is_done() and not self._webhook_due()

    def _webhook_due(self) -> bool:
        due = self._books.next_webhook()
        return due is not None and due <= self._run.clock.seconds()

    def _jump(self) -> bool:
        """Let it be the next time at which something is due; false when nothing is."""
        waiting = ParkedKey.objects.filter(state=ParkedKey.State.RETRYING)
        times = [Timer.objects.aggregate(at=Min("due"))["at"], waiting.aggregate(at=Min("due_at"))["at"]]
        due = self._books.next_webhook()
        times.append(None if due is None else datetime.fromtimestamp(due, UTC))
        if braked():
            time.sleep(LOOK_SECONDS)  # its probes come by this process's clock as well as by the run's
            times.append(clock.now())
        known = [at.timestamp() for at in times if at is not None]
        if not known or min(known) > START + DAY_SECONDS:
            return False
        self._run.clock.set((max(min(known), self._run.clock.seconds()) // MINUTE_SECONDS + 1) * MINUTE_SECONDS)
        clock.hold(self._run.clock.now())
        wakeups.published.ring()
        wakeups.appended.ring()
        return True


def let_rest(folder: Path) -> bool:
    """Let who eats the dishes stand still, and go on at the next look; each once, whoever dies at it."""
    paused, resumed = folder / "paused", folder / "resumed"
    if resumed.exists():
        return False
    group = ConsumerGroup.objects.get(name="sweep")
    stands = group.paused_at is not None
    if not paused.exists():
        if not stands:
            pausing.pause(group, "boss")
        paused.touch()
        return True
    if stands:
        pausing.resume(group, "boss")
    resumed.touch()
    return True


def show_again(folder: Path) -> bool:
    """Replay what the products told, and go on with a replay that failed, as it does once, or was interrupted."""
    shown = folder / "shown"
    mine = Q(group="orders", topic="products")
    if shown.exists() or behind(mine) or unsent().exists() or ParkedKey.objects.filter(mine).exists():
        return False  # shown already, or first to be seen
    run = ReplayRun.objects.first()
    if run is None:
        run, _counted = replay.begin(ReplayFilter(group=registry.groups["orders"], topics=["products"]), "operator")
    elif run.state == ReplayRun.State.FAILED:
        replay.resume(run, "operator")
    if run.state != ReplayRun.State.DONE:
        try:
            replay.Replay(run, threading.Event()).go()
        except replay.ReplayFailed:
            if not poison.dust(folder):
                raise
            return True
    shown.touch()
    return True


def all_is_done() -> bool:
    """Nothing to relay, to handle, to retry or to apply at this time."""
    now = connection.ops.adapt_datetimefield_value(clock.now())
    with connection.cursor() as cursor:
        cursor.execute(SOMETHING_TO_DO, {"now": now, "retrying": ParkedKey.State.RETRYING})
        return not cursor.fetchone()[0]


def is_somebody_needed() -> bool:
    """Whether a dead letter waits for a decision. Asked at each look, and so without the ORM, as `all_is_done`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM eventbus_deadletter WHERE state = %s AND request = ''", [DeadLetter.State.OPEN])
        return cursor.fetchone() is not None


def unsent() -> QuerySet[OutboxRow]:
    return OutboxRow.objects.filter(offset__isnull=True, withdrawn_at__isnull=True)


def braked() -> list[str]:
    """The groups that stand still until time goes on."""
    return list(ConsumerGroup.objects.filter(breaker_opened_at__isnull=False).values_list("name", flat=True))


def behind(which: Q = ALL) -> list[str]:
    """Which groups have not read to the end."""
    ends = {
        (row["topic"], row["partition"]): row["end"] + 1
        for row in OutboxRow.objects.filter(offset__isnull=False)
        .values("topic", "partition")
        .annotate(end=Max("offset"))
        .order_by()
    }
    return [str(row) for row in Progress.objects.filter(which) if row.offset < ends.get((row.topic, row.partition), 0)]
