"""The bus's tables. Payloads are bytes: unreadable ones must still be kept as they came."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from eventbus.events import KEY_CHARACTERS_MAX

GROUP_CHARACTERS_MAX = 60
TOPIC_CHARACTERS_MAX = 60
TYPE_CHARACTERS_MAX = 120
SOURCE_CHARACTERS_MAX = 200
HOST_CHARACTERS_MAX = 255  # DNS allows no more
WHO_CHARACTERS_MAX = 200  # an operator's name and where it was typed
NUMBER_MAX = 2**63 - 1  # of a row, and so of a record's `sequence`


class Carried(models.Model):
    """The columns of every table that holds an event."""

    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX)
    type = models.CharField(max_length=TYPE_CHARACTERS_MAX)
    key = models.CharField(max_length=KEY_CHARACTERS_MAX)
    payload = models.BinaryField()
    headers = models.TextField()

    class Meta:
        abstract = True


class OutboxRow(Carried):
    """An event, saved in its publisher's transaction. With the in-memory backend it is the log too.

    `id` grows in commit order within (topic, key). The relay sets partition and offset when it appends, or `rejected`,
    with the reason, when the log rejects it; then an operator decides (`eventbus.publishing.rejected_records`).
    An index costs every publisher a page. So only two hold every row, and neither serves rare queries.
    """

    event_id = models.UUIDField()
    created_at = models.DateTimeField()
    partition = models.PositiveSmallIntegerField(null=True)
    offset = models.PositiveBigIntegerField(null=True, db_column="log_offset")
    appended_at = models.DateTimeField(null=True)
    rejected = models.TextField(default="", blank=True)
    withdrawn_at = models.DateTimeField(null=True)  # by an operator, once it was rejected

    class Meta:
        db_table = "eventbus_outbox"
        verbose_name = _("outbox event")
        verbose_name_plural = _("outbox")
        indexes = [
            models.Index(
                fields=["id"], name="eventbus_outbox_pending", condition=models.Q(offset__isnull=True, rejected="")
            ),
            # Read before each batch, and empty unless an operator must act: it costs a publisher nothing.
            models.Index(fields=["topic", "key"], name="eventbus_outbox_rejected", condition=models.Q(rejected__gt="")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["topic", "partition", "offset"],
                name="eventbus_outbox_log",
                condition=models.Q(offset__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class Timer(Carried):
    """An event to be published at its time."""

    event_id = models.UUIDField(unique=True)
    due = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("timer")
        verbose_name_plural = _("timers")

    def __str__(self) -> str:
        return f"{self.type} {self.event_id} due {self.due}"


class ConsumerGroup(models.Model):
    """The name under which handlers share progress.

    It stands still while an operator pauses it, until resumed. It also does while its circuit breaker is open, until a
    probe succeeds or an operator resumes it.
    """

    name = models.CharField(max_length=GROUP_CHARACTERS_MAX, unique=True)
    created_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=WHO_CHARACTERS_MAX, default="", blank=True)
    breaker_opened_at = models.DateTimeField(null=True, blank=True)
    breaker_reason = models.TextField(default="", blank=True)

    class Meta:
        verbose_name = _("consumer group")
        verbose_name_plural = _("consumer groups")

    def __str__(self) -> str:
        return self.name


class Progress(models.Model):
    """The offset of a group in a partition: the truth about progress on every backend.

    `epoch` fences a former owner; `released` is the last epoch whose owner left in order. `running_event` is the event
    that is being handled alone; left by a crash, it counts one. `crashes` without it: many were begun together. `start`
    is the group's first offset, `moved_at` the time when it last passed a record. What happened to its events is
    counted here for ever. `pruned_*` counts those that have no rows any more, and `pruned_before` those of them that
    were in an earlier log. `untrusted` counts records that are no events of ours, whatever they claim.
    """

    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField()
    start = models.PositiveBigIntegerField(default=0)
    offset = models.PositiveBigIntegerField(default=0, db_column="log_offset")
    epoch = models.PositiveBigIntegerField(default=0)
    released = models.PositiveBigIntegerField(null=True)
    running_event = models.UUIDField(null=True)
    crashes = models.PositiveSmallIntegerField(default=0)
    handled = models.PositiveBigIntegerField(default=0)
    ignored = models.PositiveBigIntegerField(default=0)
    discarded = models.PositiveBigIntegerField(default=0)
    pruned_handled = models.PositiveBigIntegerField(default=0)
    pruned_ignored = models.PositiveBigIntegerField(default=0)
    pruned_discarded = models.PositiveBigIntegerField(default=0)
    pruned_before = models.PositiveBigIntegerField(default=0, db_default=0)
    untrusted = models.PositiveBigIntegerField(default=0, db_default=0)
    moved_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")
        constraints = [models.UniqueConstraint(fields=["group", "topic", "partition"], name="eventbus_progress_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition} at {self.offset}"

    @property
    def pruned(self) -> int:
        """The number of its events that have no rows any more."""
        return self.pruned_handled + self.pruned_ignored + self.pruned_discarded


class InboxRow(models.Model):
    """An event that a group has handled; `replay` is 0 for live handling, else the run's id.

    `handled_at` is None for an event that the group passed without handling it, and must not handle later. It is from
    before the group began, or of a type that it did not know, and was appended to the log again.
    """

    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField()
    replay = models.PositiveBigIntegerField(default=0)
    handled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "eventbus_inbox"
        verbose_name = _("handled event")
        verbose_name_plural = _("inbox")
        constraints = [models.UniqueConstraint(fields=["group", "event_id", "replay"], name="eventbus_inbox_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.event_id}"


class IgnoredType(models.Model):
    """The count of events that a group ignored: its release did not know their type, as the publisher came first."""

    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField()
    type = models.CharField(max_length=TYPE_CHARACTERS_MAX)
    events = models.PositiveBigIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        verbose_name = _("ignored event type")
        verbose_name_plural = _("ignored event types")
        constraints = [
            models.UniqueConstraint(fields=["group", "topic", "partition", "type"], name="eventbus_ignored_type_once")
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition} {self.type} {self.events}"


class ParkedKey(models.Model):
    """A key whose head event failed for a group: its later events wait behind it, other keys flow."""

    class State(models.TextChoices):
        RETRYING = "retrying", _("retrying")
        DEAD = "dead", _("waits for an operator")

    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=KEY_CHARACTERS_MAX)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RETRYING)
    attempts = models.PositiveSmallIntegerField(default=0)  # of the head
    crashes = models.PositiveSmallIntegerField(default=0)  # of the head
    running = models.BooleanField(default=False)
    due_at = models.DateTimeField()
    error = models.TextField(default="", blank=True)
    parked_at = models.DateTimeField()

    class Meta:
        verbose_name = _("parked key")
        verbose_name_plural = _("parked keys")
        constraints = [models.UniqueConstraint(fields=["group", "topic", "key"], name="eventbus_parked_key_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.topic} {self.key}"


class ParkedEvent(Carried):
    """An event of a parked key: the head, then those that wait, in the order of their offsets."""

    parked_key = models.ForeignKey(ParkedKey, on_delete=models.PROTECT, related_name="events")
    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField()
    partition = models.PositiveSmallIntegerField()
    offset = models.PositiveBigIntegerField(db_column="log_offset")

    class Meta:
        verbose_name = _("parked event")
        verbose_name_plural = _("parked events")
        ordering = ["offset", "id"]
        # The head of thousands is looked up after each handled event.
        indexes = [models.Index(fields=["parked_key", "offset", "id"], name="eventbus_parked_in_order")]
        constraints = [models.UniqueConstraint(fields=["group", "event_id"], name="eventbus_parked_event_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.type} {self.event_id}"


class DeadLetter(Carried):
    """An event that failed for good, byte for byte, until an operator requeues or discards it.

    A discarded one can be restored for a while. `behind` marks one that never failed: it waited behind another and was
    discarded with it. `through` is the last parked event that a discard request includes. `decision` is the operator's
    action that decided about it last, the first of those that were requested together.
    """

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DISCARDED = "discarded", _("discarded")

    class Request(models.TextChoices):
        NONE = "", _("none")
        REQUEUE = "requeue", _("requeue")
        DISCARD = "discard", _("discard")
        RESTORE = "restore", _("restore")

    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField()
    partition = models.PositiveSmallIntegerField()
    offset = models.PositiveBigIntegerField(db_column="log_offset")
    parks = models.BooleanField()  # whether its key waits for the operator
    attempts = models.PositiveSmallIntegerField()
    error_class = models.CharField(max_length=200)
    error = models.TextField(default="", blank=True)
    traceback = models.TextField(default="", blank=True)
    died_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    request = models.CharField(max_length=10, choices=Request.choices, default=Request.NONE, blank=True)
    through = models.PositiveBigIntegerField(null=True)
    decision = models.PositiveBigIntegerField(null=True)
    discarded_at = models.DateTimeField(null=True)
    behind = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        indexes = [
            # Requests that wait for a worker: read before each batch, and nearly always empty.
            models.Index(fields=["group"], name="eventbus_dead_letter_asked", condition=models.Q(request__gt="")),
        ]
        constraints = [models.UniqueConstraint(fields=["group", "event_id"], name="eventbus_dead_letter_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.type} {self.event_id}"


class UntrustedRecord(models.Model):
    """The offset of a record that a group passed over because its signature is not known (eventbus.consuming.trust).

    The first of each group and topic are kept until an operator has seen them; their content is in the log.
    """

    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField()
    offset = models.PositiveBigIntegerField(db_column="log_offset")
    event_id = models.UUIDField()
    type = models.CharField(max_length=TYPE_CHARACTERS_MAX)
    key = models.CharField(max_length=KEY_CHARACTERS_MAX)
    source = models.CharField(max_length=SOURCE_CHARACTERS_MAX, default="", blank=True)
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "eventbus_untrusted"
        verbose_name = _("untrusted record")
        verbose_name_plural = _("untrusted records")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition}/{self.offset}"


class OperatorAction(models.Model):
    """An operator's action in the audit trail: on one event, a whole group, or a log. Never changed."""

    class Action(models.TextChoices):
        REQUEUE = "requeue", _("requeue")
        DISCARD = "discard", _("discard")
        PAUSE = "pause", _("pause")
        RESUME = "resume", _("resume")
        REPLAY = "replay", _("replay")
        CLOSE = "close", _("close")
        RESEND = "resend", _("resend")
        WITHDRAW = "withdraw", _("withdraw")
        REPUBLISH = "republish", _("republish")
        RESTORE = "restore", _("restore")
        REDELIVER = "redeliver", _("redeliver")
        DISMISS = "dismiss", _("dismiss")
        REPAIR = "repair", _("repair")

    at = models.DateTimeField()
    who = models.CharField(max_length=WHO_CHARACTERS_MAX)
    action = models.CharField(max_length=10, choices=Action.choices)
    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField(null=True, blank=True)
    type = models.CharField(max_length=TYPE_CHARACTERS_MAX, default="", blank=True)
    key = models.CharField(max_length=KEY_CHARACTERS_MAX, default="", blank=True)
    error = models.TextField(default="", blank=True)
    decision = models.PositiveBigIntegerField(null=True)  # the first of those that were requested together

    class Meta:
        verbose_name = _("operator's action")
        verbose_name_plural = _("operators' actions")

    def __str__(self) -> str:
        return f"{self.at} {self.who} {self.action} {self.event_id or self.group}"


class ReplayRun(models.Model):
    """A run of a group's replayable handlers over a stretch of the log; `id` is part of the inbox key.

    `offsets` is JSON, {"topic/partition": [next, end]}: the run's next offset and its end, fixed when it begins.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.BigAutoField(primary_key=True)
    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    key = models.CharField(max_length=KEY_CHARACTERS_MAX, default="", blank=True)
    event_id = models.UUIDField(null=True, blank=True)
    who = models.CharField(max_length=WHO_CHARACTERS_MAX)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    offsets = models.TextField(default="{}")
    matched = models.PositiveBigIntegerField(default=0)
    handled = models.PositiveBigIntegerField(default=0)
    error = models.TextField(default="", blank=True)

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")

    def __str__(self) -> str:
        return f"{self.group} {self.id} {self.state}"


class Effect(models.Model):
    """An effect claimed or done. One still `sending` after a crash has an unknown outcome."""

    class State(models.TextChoices):
        SENDING = "sending", _("sending")
        FAILED = "failed", _("failed, to be tried again")
        DONE = "done", _("done")

    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=State.choices)
    claims = models.PositiveSmallIntegerField(default=1)
    claimed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("effect")
        verbose_name_plural = _("effects")
        constraints = [models.UniqueConstraint(fields=["group", "event_id"], name="eventbus_effect_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.event_id} {self.state}"


class TopicLog(models.Model):
    """The log that all offsets of a topic belong to. If it is lost, the brokers show another generation.

    Then the outbox is appended again; `refill_to` is the last row of that, 0 when all is done. Keys are placed by
    `partitions`, however many the brokers have: more would move keys away from their earlier events.
    """

    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX, primary_key=True)
    generation = models.CharField(max_length=200)
    noted_at = models.DateTimeField()
    refill_to = models.PositiveBigIntegerField(default=0)
    partitions = models.PositiveSmallIntegerField(null=True)  # not noted yet: see `outbox_offsets.partitions`

    class Meta:
        verbose_name = _("topic's log")
        verbose_name_plural = _("topics' logs")

    def __str__(self) -> str:
        return f"{self.topic} {self.generation}"


class LostRecords(models.Model):
    """Records that the log deleted before a group read them, and that the outbox does not have either.

    `count` of those from `begin` to before `end`, in the log of that `generation`. Shown until an operator accepts it.
    """

    group = models.CharField(max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField()
    generation = models.CharField(max_length=200)
    begin = models.PositiveBigIntegerField()
    end = models.PositiveBigIntegerField()
    count = models.PositiveBigIntegerField()
    noted_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.CharField(max_length=WHO_CHARACTERS_MAX, default="", blank=True)

    class Meta:
        db_table = "eventbus_lost_records"
        verbose_name = _("lost records")
        verbose_name_plural = _("lost records")

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition} {self.begin} to {self.end}"


class Divergence(models.Model):
    """An event of ours in the log that the database, which was restored, does not know. Until repaired, nothing moves.

    There is one row at most, of the first such event that was seen; `name` is its only key.
    """

    name = models.CharField(max_length=20, primary_key=True)
    noted_at = models.DateTimeField()
    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField()
    offset = models.PositiveBigIntegerField(db_column="log_offset")
    event_id = models.UUIDField()
    type = models.CharField(max_length=TYPE_CHARACTERS_MAX)
    key = models.CharField(max_length=KEY_CHARACTERS_MAX)

    class Meta:
        verbose_name = _("divergence of database and log")
        verbose_name_plural = _("divergence of database and log")

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class ForgottenSpan(models.Model):
    """A stretch of the log whose events of ours the database forgot by a restore: groups pass over them.

    This holds for numbers up to `last`. Events published after the repair have higher ones, even where a log that was
    filled again gives them the same offsets.
    """

    topic = models.CharField(max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField()
    begin = models.PositiveBigIntegerField()
    end = models.PositiveBigIntegerField()
    events = models.PositiveBigIntegerField()
    last = models.PositiveBigIntegerField(default=NUMBER_MAX, db_default=NUMBER_MAX)
    noted_at = models.DateTimeField()

    class Meta:
        verbose_name = _("forgotten stretch of the log")
        verbose_name_plural = _("forgotten stretches of the log")

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} {self.begin} to {self.end}"


class LeaseRow(models.Model):
    """The lease of the one process that relays, dispatches or polls."""

    name = models.CharField(max_length=100, primary_key=True)
    owner = models.CharField(max_length=40, default="", blank=True)
    beat = models.PositiveBigIntegerField(default=0)
    epoch = models.PositiveBigIntegerField(default=0)

    class Meta:
        db_table = "eventbus_lease"
        verbose_name = _("lease")
        verbose_name_plural = _("leases")

    def __str__(self) -> str:
        return f"{self.name} {self.owner}"


class ProcessRow(models.Model):
    """A process of the site, by its own last heartbeat. For operators only: nothing is decided by it."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        STANDBY = "standby", _("stands by")

    id = models.UUIDField(primary_key=True)
    role = models.CharField(max_length=20)
    host = models.CharField(max_length=HOST_CHARACTERS_MAX)
    pid = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default="", blank=True)  # where only one is active
    assignment = models.JSONField(default=dict, blank=True)  # partitions by consumer group
    began_at = models.DateTimeField()
    beat_at = models.DateTimeField()

    class Meta:
        db_table = "eventbus_process"
        verbose_name = _("process")
        verbose_name_plural = _("processes")

    def __str__(self) -> str:
        return f"{self.role} {self.host} {self.pid}"
