"""The tables of consumer groups: progress, inbox and ignored types."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from eventbus.column_sizes import (
    GROUP_CHARACTERS_MAX,
    TOPIC_CHARACTERS_MAX,
    TYPE_CHARACTERS_MAX,
    WHO_CHARACTERS_MAX,
)


class ConsumerGroup(models.Model):
    """The name under which handlers share progress.

    The group handles nothing while an operator has paused it, until it is resumed. Nor does it while its circuit
    breaker is open, until a probe succeeds or an operator resumes the group.
    """

    name = models.CharField(_("name"), max_length=GROUP_CHARACTERS_MAX, unique=True)
    created_at = models.DateTimeField(_("created"))
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True)
    paused_by = models.CharField(_("paused by"), max_length=WHO_CHARACTERS_MAX, default="", blank=True)
    breaker_opened_at = models.DateTimeField(_("circuit breaker open since"), null=True, blank=True)
    breaker_reason = models.TextField(_("why the circuit breaker opened"), default="", blank=True)

    class Meta:
        verbose_name = _("consumer group")
        verbose_name_plural = _("consumer groups")

    def __str__(self) -> str:
        return self.name


class Progress(models.Model):
    """The offset of a group in a partition. Progress is read from here on every backend.

    `epoch` grows with each new owner, so that a former one can write no more. `released`: the last epoch whose owner
    left in order. `running_event`: the event that is being handled alone; if a crash leaves it set, that crash is
    counted. `crashes` above 0 without `running_event`: a batch was begun. `start`: the group's first offset.
    `log_began`: the log's first offset when a group began at the earliest event; nothing before it is lost for the
    group. `moved_at`: when the offset last changed. `handled`, `ignored` and `discarded` include pruned events.
    `pruned_*` counts events whose rows were pruned, `pruned_before` those of them that were in an earlier log.
    `untrusted` counts records set aside as untrusted.
    """

    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField(_("partition"))
    start = models.PositiveBigIntegerField(_("start"), default=0)
    log_began = models.PositiveBigIntegerField(_("log's first offset then"), default=0)
    offset = models.PositiveBigIntegerField(_("offset"), default=0, db_column="log_offset")
    epoch = models.PositiveBigIntegerField(_("epoch"), default=0)
    released = models.PositiveBigIntegerField(_("last epoch that ended in order"), null=True)
    running_event = models.UUIDField(_("event in hand"), null=True)
    crashes = models.PositiveSmallIntegerField(_("crashes"), default=0)
    handled = models.PositiveBigIntegerField(_("handled"), default=0)
    ignored = models.PositiveBigIntegerField(_("ignored"), default=0)
    discarded = models.PositiveBigIntegerField(pgettext_lazy("column", "discarded"), default=0)
    pruned_handled = models.PositiveBigIntegerField(_("handled, pruned"), default=0)
    pruned_ignored = models.PositiveBigIntegerField(_("ignored, pruned"), default=0)
    pruned_discarded = models.PositiveBigIntegerField(_("discarded, pruned"), default=0)
    pruned_before = models.PositiveBigIntegerField(_("pruned of a log before"), default=0, db_default=0)
    untrusted = models.PositiveBigIntegerField(_("set aside as untrusted"), default=0, db_default=0)
    moved_at = models.DateTimeField(_("last moved"), null=True)

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")
        permissions = [  # the roles of staff on the bus, beside `view_progress`: to look, without payloads
            ("view_payload", "Can look into payloads, and into texts that may quote them"),
            ("operate", "Can operate the bus: requeue, discard, pause, replay"),
            ("administer", "Can administer the bus: remove groups and topics, prune"),
        ]
        constraints = [models.UniqueConstraint(fields=["group", "topic", "partition"], name="eventbus_progress_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition} at {self.offset}"

    @property
    def pruned(self) -> int:
        """The number of its handled, ignored and discarded events whose rows were pruned."""
        return self.pruned_handled + self.pruned_ignored + self.pruned_discarded


class InboxRow(models.Model):
    """An event that a group has handled; `replay` is 0 for live handling, else the run's id.

    `handled_at` is None for an event that the group ignored and must not handle later. The event is from before the
    group began, or of a type that the group did not know, and was appended to the log again.
    """

    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    event_id = models.UUIDField(_("event"))
    replay = models.PositiveBigIntegerField(_("replay"), default=0)
    handled_at = models.DateTimeField(_("handled at"), null=True)

    class Meta:
        db_table = "eventbus_inbox"
        verbose_name = _("handled event")
        verbose_name_plural = _("inbox")
        constraints = [models.UniqueConstraint(fields=["group", "event_id", "replay"], name="eventbus_inbox_once")]

    def __str__(self) -> str:
        return f"{self.group} {self.event_id}"


class IgnoredType(models.Model):
    """The count of events that a group ignored because its release did not know their type.

    This happens when the release of the publisher is deployed first.
    """

    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField(_("partition"))
    type = models.CharField(_("event type"), max_length=TYPE_CHARACTERS_MAX)
    events = models.PositiveBigIntegerField(_("events"), default=0)
    first_at = models.DateTimeField(_("first at"))
    last_at = models.DateTimeField(_("last at"))

    class Meta:
        verbose_name = _("ignored event type")
        verbose_name_plural = _("ignored event types")
        constraints = [
            models.UniqueConstraint(fields=["group", "topic", "partition", "type"], name="eventbus_ignored_type_once")
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition} {self.type} {self.events}"
