"""The tables of failed events, untrusted records and effects in flight."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from eventbus.column_sizes import (
    CAUSE_CHARACTERS,
    CODE_LINE_CHARACTERS_MAX,
    GROUP_CHARACTERS_MAX,
    HANDLER_CHARACTERS_MAX,
    SOURCE_CHARACTERS_MAX,
    TOPIC_CHARACTERS_MAX,
    TYPE_CHARACTERS_MAX,
)
from eventbus.events import KEY_CHARACTERS_MAX
from eventbus.models.outbox import StoredEvent


class ParkedKey(models.Model):
    """A key whose head event failed for a group: its later events wait behind it, other keys flow."""

    class State(models.TextChoices):
        RETRYING = "retrying", _("retrying")
        DEAD = "dead", _("waits for an operator")

    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField(_("partition"))
    key = models.CharField(_("key"), max_length=KEY_CHARACTERS_MAX)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.RETRYING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)  # of the head
    crashes = models.PositiveSmallIntegerField(_("crashes"), default=0)  # of the head
    running = models.BooleanField(_("running"), default=False)
    due_at = models.DateTimeField(_("next attempt"))
    error = models.TextField(_("error"), default="", blank=True)
    parked_at = models.DateTimeField(_("parked since"))

    class Meta:
        verbose_name = _("parked key")
        verbose_name_plural = _("parked keys")
        constraints = [models.UniqueConstraint(fields=["group", "topic", "key"], name="eventbus_parked_key_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.topic} {self.key}"


class ParkedEvent(StoredEvent):
    """An event of a parked key: the head, then those that wait, in the order of their offsets."""

    parked_key = models.ForeignKey(
        ParkedKey, on_delete=models.PROTECT, related_name="events", verbose_name=_("parked key")
    )
    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField(_("event"))
    partition = models.PositiveSmallIntegerField(_("partition"))
    offset = models.PositiveBigIntegerField(_("offset"), db_column="log_offset")

    class Meta:
        verbose_name = _("parked event")
        verbose_name_plural = _("parked events")
        ordering = ["offset", "id"]
        # The head of thousands is looked up after each handled event.
        indexes = [models.Index(fields=["parked_key", "offset", "id"], name="eventbus_parked_in_order")]
        constraints = [models.UniqueConstraint(fields=["group", "event_id"], name="eventbus_parked_event_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.type} {self.event_id}"


class DeadLetter(StoredEvent):
    """An event that failed for good, byte for byte, until an operator requeues or discards it.

    A discarded dead letter can be restored for a while. `behind`: the event never failed. It was parked behind a dead
    letter and discarded with it, or an operator had the group skip it. `cause`: the fingerprint of group, type,
    handler, error class and line, by which failures are counted (eventbus.failures.causes). `through`: the id of the
    last parked event that a discard request includes.
    `decision`: the number of the operator's last decision, which may cover several dead letters: the id of its first
    action.
    """

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DISCARDED = "discarded", _("discarded")

    class Request(models.TextChoices):
        NONE = "", _("none")
        REQUEUE = "requeue", _("requeue")
        DISCARD = "discard", _("discard")
        RESTORE = "restore", _("restore")

    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField(_("event"))
    partition = models.PositiveSmallIntegerField(_("partition"))
    offset = models.PositiveBigIntegerField(_("offset"), db_column="log_offset")
    parks = models.BooleanField(_("parks its key"))  # whether its key waits for the operator
    attempts = models.PositiveSmallIntegerField(_("attempts"))
    handler = models.CharField(_("handler"), max_length=HANDLER_CHARACTERS_MAX, default="", blank=True)
    code_line = models.CharField(_("raised at"), max_length=CODE_LINE_CHARACTERS_MAX, default="", blank=True)
    cause = models.CharField(_("cause"), max_length=CAUSE_CHARACTERS, default="", blank=True)
    error_class = models.CharField(_("error"), max_length=200)
    error = models.TextField(_("error"), default="", blank=True)
    traceback = models.TextField(_("traceback"), default="", blank=True)
    died_at = models.DateTimeField(_("died"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    request = models.CharField(_("asked for"), max_length=10, choices=Request.choices, default=Request.NONE, blank=True)
    through = models.PositiveBigIntegerField(_("takes parked events up to"), null=True)
    decision = models.PositiveBigIntegerField(_("decided with"), null=True)
    discarded_at = models.DateTimeField(_("discarded at"), null=True)
    behind = models.BooleanField(_("waited behind another"), default=False, db_default=False)

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        indexes = [
            # Requests that wait for a worker: read before each batch, and nearly always empty.
            models.Index(fields=["group"], name="eventbus_dead_letter_asked", condition=models.Q(request__gt="")),
            # Causes are counted from this index alone, and their letters paged through by id.
            models.Index(fields=["state", "cause", "id", "died_at"], name="eventbus_dead_letter_cause"),
            # The progress of a decision about thousands is asked for every other second.
            models.Index(
                fields=["decision", "request"],
                name="eventbus_dead_letter_decided",
                condition=models.Q(decision__isnull=False),
            ),
        ]
        constraints = [models.UniqueConstraint(fields=["group", "event_id"], name="eventbus_dead_letter_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.type} {self.event_id}"


class UntrustedRecord(models.Model):
    """The offset of a record that a group passed over because its signature is not known (eventbus.consuming.trust).

    The first `trust.ROWS_MAX` of each group and topic are kept until an operator has seen them. Their content is in the
    log.
    """

    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField(_("partition"))
    offset = models.PositiveBigIntegerField(_("offset"), db_column="log_offset")
    event_id = models.UUIDField(_("event"))
    type = models.CharField(_("event type"), max_length=TYPE_CHARACTERS_MAX)
    key = models.CharField(_("key"), max_length=KEY_CHARACTERS_MAX)
    source = models.CharField(_("source"), max_length=SOURCE_CHARACTERS_MAX, default="", blank=True)
    seen_at = models.DateTimeField(_("set aside at"))

    class Meta:
        db_table = "eventbus_untrusted"
        verbose_name = _("untrusted record")
        verbose_name_plural = _("untrusted records")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition}/{self.offset}"


class Effect(models.Model):
    """An effect that is claimed, failed or done. If it is still `sending` after a crash, its outcome is unknown."""

    class State(models.TextChoices):
        SENDING = "sending", _("sending")
        FAILED = "failed", _("failed, to be tried again")
        DONE = "done", _("done")

    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField(_("event"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    claims = models.PositiveSmallIntegerField(_("claims"), default=1)
    claimed_at = models.DateTimeField(_("claimed"))

    class Meta:
        verbose_name = _("effect")
        verbose_name_plural = _("effects")
        constraints = [models.UniqueConstraint(fields=["group", "event_id"], name="eventbus_effect_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.event_id} {self.state}"
