"""The tables about the log itself: its name, its losses, and its differences from the database."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from eventbus.column_sizes import (
    GROUP_CHARACTERS_MAX,
    NUMBER_MAX,
    TOPIC_CHARACTERS_MAX,
    TYPE_CHARACTERS_MAX,
    WHO_CHARACTERS_MAX,
)
from eventbus.events import KEY_CHARACTERS_MAX


class TopicLog(models.Model):
    """The log that all stored offsets of a topic belong to. If it is lost, the brokers show another `generation`.

    Then the rows of the outbox are appended again. `refill_to` is the id of the last of these rows, 0 when all are
    done. A key's partition is computed from `partitions`, however many the brokers have: more would move keys away from
    their earlier events.
    """

    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX, primary_key=True)
    generation = models.CharField(_("which log"), max_length=200)
    noted_at = models.DateTimeField(_("noted"))
    refill_to = models.PositiveBigIntegerField(_("appended again up to"), default=0)
    partitions = models.PositiveSmallIntegerField(
        _("partitions that have keys"), null=True
    )  # not noted yet: see `outbox_offsets.partitions`

    class Meta:
        verbose_name = _("topic's log")
        verbose_name_plural = _("topics' logs")

    def __str__(self) -> str:
        return f"{self.topic} {self.generation}"


class LostRecords(models.Model):
    """Records that the log deleted before a group read them, and that the outbox does not have either.

    There are `count` of them, from offset `begin` to before `end`, in the log of that `generation`. The row is shown
    until an operator accepts the loss.
    """

    group = models.CharField(_("group"), max_length=GROUP_CHARACTERS_MAX)
    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField(_("partition"))
    generation = models.CharField(_("which log"), max_length=200)
    begin = models.PositiveBigIntegerField(_("begins at"))
    end = models.PositiveBigIntegerField(_("ends before"))
    count = models.PositiveBigIntegerField(_("how many"))
    noted_at = models.DateTimeField(_("noted"))
    accepted_at = models.DateTimeField(_("seen to at"), null=True)
    accepted_by = models.CharField(_("seen to by"), max_length=WHO_CHARACTERS_MAX, default="", blank=True)

    class Meta:
        db_table = "eventbus_lost_records"
        verbose_name = _("lost records")
        verbose_name_plural = _("lost records")

    def __str__(self) -> str:
        return f"{self.group} {self.topic}/{self.partition} {self.begin} to {self.end}"


class Divergence(models.Model):
    """A record that this site published and that has no outbox row, which shows that the database was restored.

    While this row exists, the relay and all groups stop; `manage.py eventbus restored --apply` deletes it. At most one
    row: `name` is a constant primary key.
    """

    name = models.CharField(_("name"), max_length=20, primary_key=True)
    noted_at = models.DateTimeField(_("noted"))
    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField(_("partition"))
    offset = models.PositiveBigIntegerField(_("offset"), db_column="log_offset")
    event_id = models.UUIDField(_("event"))
    type = models.CharField(_("event type"), max_length=TYPE_CHARACTERS_MAX)
    key = models.CharField(_("key"), max_length=KEY_CHARACTERS_MAX)

    class Meta:
        verbose_name = _("divergence of database and log")
        verbose_name_plural = _("divergence of database and log")

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class ForgottenSpan(models.Model):
    """A range of offsets with events of this site that the database forgot when it was restored: groups skip them.

    Groups skip only events with numbers (outbox ids) up to `last`. Events published after the repair have higher
    numbers, even if a refilled log gives them offsets in this range.
    """

    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX)
    partition = models.PositiveSmallIntegerField(_("partition"))
    begin = models.PositiveBigIntegerField(_("begins at"))
    end = models.PositiveBigIntegerField(_("ends before"))
    events = models.PositiveBigIntegerField(_("events"))
    last = models.PositiveBigIntegerField(_("numbers up to"), default=NUMBER_MAX, db_default=NUMBER_MAX)
    noted_at = models.DateTimeField(_("noted"))

    class Meta:
        verbose_name = _("forgotten stretch of the log")
        verbose_name_plural = _("forgotten stretches of the log")

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} {self.begin} to {self.end}"
