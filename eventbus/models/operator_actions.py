"""The tables of operators' actions, bulk runs and replays."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from eventbus.column_sizes import (
    CAUSE_CHARACTERS,
    CODE_LINE_CHARACTERS_MAX,
    GROUP_CHARACTERS_MAX,
    HANDLER_CHARACTERS_MAX,
    TYPE_CHARACTERS_MAX,
    WHO_CHARACTERS_MAX,
)
from eventbus.events import KEY_CHARACTERS_MAX


class OperatorAction(models.Model):
    """An operator's action in the audit trail: on one event, a whole group, or a log. Never changed."""

    class Action(models.TextChoices):
        REQUEUE = "requeue", _("requeue")
        DISCARD = "discard", _("discard")
        PAUSE = "pause", _("pause")
        RESUME = "resume", _("resume")
        REPLAY = "replay", _("replay")
        STOP = "stop", _("stop a replay")
        CLOSE = "close", _("close")
        RESEND = "resend", _("resend")
        WITHDRAW = "withdraw", _("withdraw")
        REPUBLISH = "republish", _("republish")
        RESTORE = "restore", _("restore")
        REDELIVER = "redeliver", _("redeliver")
        DISMISS = "dismiss", _("dismiss")
        REPAIR = "repair", _("repair")
        EXPORT = "export", _("export")
        BREAKER = "breaker", _("close a circuit breaker")
        PRUNE = "prune", _("prune")
        TOPICS = "topics", _("set up topics")
        LOG_LEVEL = "log-level", _("set or end a log level")
        SKIP = "skip", _("skip waiting events")

    at = models.DateTimeField(_("when"))
    who = models.CharField(_("who"), max_length=WHO_CHARACTERS_MAX)
    action = models.CharField(_("what was asked"), max_length=10, choices=Action.choices)
    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField(_("event"), null=True, blank=True)
    type = models.CharField(_("event type"), max_length=TYPE_CHARACTERS_MAX, default="", blank=True)
    key = models.CharField(_("key"), max_length=KEY_CHARACTERS_MAX, default="", blank=True)
    error = models.TextField(_("error"), default="", blank=True)
    decision = models.PositiveBigIntegerField(
        _("decided with"), null=True
    )  # the first of those that were requested together
    count = models.PositiveBigIntegerField(_("how many"), default=1)
    selection = models.PositiveBigIntegerField(_("selection"), null=True, blank=True)  # the id of its BulkRun
    replay = models.PositiveBigIntegerField(_("replay"), null=True, blank=True)  # the id of its ReplayRun

    class Meta:
        verbose_name = _("operator's action")
        verbose_name_plural = _("operators' actions")
        indexes = [
            models.Index(
                fields=["decision"], name="eventbus_action_decided", condition=models.Q(decision__isnull=False)
            ),
            # For the page of the audit trail: a decision about thousands is one row there.
            models.Index(
                fields=["id"],
                name="eventbus_action_first",
                condition=models.Q(decision__isnull=True) | models.Q(decision=models.F("id")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at} {self.who} {self.action} {self.event_id or self.group}"


class BulkRun(models.Model):
    """One action of an operator over many events: exactly those that were shown, whatever comes in meanwhile.

    They are dead letters. Only a skip is about events that wait in the log: `counted` is JSON, its `Stretch` of each
    partition (eventbus.repairs.skipping). `ids`: the letters, as ranges (eventbus.selections.row_ids). `passed`: the id
    of the last letter that the run has dealt with, and `asked` and `refused` their numbers. `decision`: the number of
    its action in the audit trail, and of its letters. `through`: the id of the last parked event that a discard
    includes, and `parked` their number. `undoes`: the run whose discard or skip this one undoes.
    """

    class Action(models.TextChoices):
        REQUEUE = "requeue", _("requeue")
        DISCARD = "discard", _("discard")
        RESTORE = "restore", _("restore")
        EXPORT = "export", _("export")
        SKIP = "skip", _("skip waiting events")

    class State(models.TextChoices):
        FROZEN = "frozen", _("waits for a yes")
        RUNNING = "running", _("running")
        DONE = "done", _("done")

    action = models.CharField(_("action"), max_length=10, choices=Action.choices)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.FROZEN)
    who = models.CharField(_("who"), max_length=WHO_CHARACTERS_MAX)
    shown_at = models.DateTimeField(_("shown at"))
    began_at = models.DateTimeField(_("began"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    type = models.CharField(_("event type"), max_length=TYPE_CHARACTERS_MAX)
    handler = models.CharField(_("handler"), max_length=HANDLER_CHARACTERS_MAX, default="", blank=True)
    error_class = models.CharField(_("error"), max_length=200)
    code_line = models.CharField(_("raised at"), max_length=CODE_LINE_CHARACTERS_MAX, default="", blank=True)
    cause = models.CharField(_("cause"), max_length=CAUSE_CHARACTERS)
    ids = models.TextField(_("dead letters"))
    counted = models.TextField(_("counted"), default="", blank=True)
    total = models.PositiveIntegerField(_("how many"))
    passed = models.PositiveBigIntegerField(_("passed"), default=0)
    asked = models.PositiveIntegerField(_("asked for"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    through = models.PositiveBigIntegerField(_("takes parked events up to"), null=True, blank=True)
    parked = models.PositiveIntegerField(_("parked events behind them"), default=0)
    decision = models.PositiveBigIntegerField(_("decided with"), null=True, blank=True)
    undoes = models.PositiveBigIntegerField(_("undoes"), null=True, blank=True)

    class Meta:
        verbose_name = _("bulk run")
        verbose_name_plural = _("bulk runs")
        indexes = [
            # Asked each second by the process that carries runs out, and nearly always empty.
            models.Index(fields=["id"], name="eventbus_bulk_run_runs", condition=models.Q(state="running")),
        ]
        constraints = [
            # A large discard is undone by several runs, one after the other.
            models.UniqueConstraint(
                fields=["undoes"], name="eventbus_bulk_run_undone", condition=~models.Q(state="done")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.total} of {self.group} {self.state}"


class ReplayRun(models.Model):
    """A run of a group's replayable handlers over a range of the log. `id` is the `replay` of its inbox rows.

    `offsets` is JSON, {"topic/partition": [next, end]}: the run's next offset and its end, fixed when it begins.
    `counted` is JSON, {"topic/partition": [to handle, left out]}, as an operator was shown it (`repairs.dry_runs`).
    `in_background`: the process that dispatches carries it out. `began_at` is when it was shown, until it begins.
    `moved_at`: when it last handled a batch. `crashes`: the processes that have ended in it since.
    """

    class State(models.TextChoices):
        FROZEN = "frozen", _("waits for a yes")
        RUNNING = "running", _("running")
        STOPPED = "stopped", _("stopped")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.BigAutoField(primary_key=True)
    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    since = models.DateTimeField(_("from"), null=True, blank=True)
    until = models.DateTimeField(_("until"), null=True, blank=True)
    key = models.CharField(_("key"), max_length=KEY_CHARACTERS_MAX, default="", blank=True)
    event_id = models.UUIDField(_("event"), null=True, blank=True)
    who = models.CharField(_("who"), max_length=WHO_CHARACTERS_MAX)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.RUNNING)
    began_at = models.DateTimeField(_("began"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    moved_at = models.DateTimeField(_("last moved"), null=True, blank=True)
    crashes = models.PositiveSmallIntegerField(_("crashes"), default=0)
    offsets = models.TextField(_("offsets"), default="{}")
    matched = models.PositiveBigIntegerField(_("matched"), default=0)
    handled = models.PositiveBigIntegerField(_("handled"), default=0)
    counted = models.TextField(_("counted"), default="{}")
    in_background = models.BooleanField(_("in the background"), default=False)
    error = models.TextField(_("error"), default="", blank=True)

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        indexes = [
            # Asked each second by the process that carries replays out, and nearly always empty.
            models.Index(
                fields=["id"],
                name="eventbus_replay_runs",
                condition=models.Q(state="running", in_background=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.id} {self.state}"
