"""The tables of published events: the outbox and the timers."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from eventbus.column_sizes import TOPIC_CHARACTERS_MAX, TYPE_CHARACTERS_MAX
from eventbus.events import KEY_CHARACTERS_MAX


class StoredEvent(models.Model):
    """The columns of every table that holds an event."""

    topic = models.CharField(_("topic"), max_length=TOPIC_CHARACTERS_MAX)
    type = models.CharField(_("event type"), max_length=TYPE_CHARACTERS_MAX)
    key = models.CharField(_("key"), max_length=KEY_CHARACTERS_MAX)
    payload = models.BinaryField(_("content"))
    headers = models.TextField(_("headers"))

    class Meta:
        abstract = True


class OutboxRow(StoredEvent):
    """An event, saved in its publisher's transaction. With the in-memory backend it is the log too.

    `id` grows in commit order within (topic, key). The relay sets partition and offset when it appends the event. If
    the log rejects it, the relay sets `rejected` to the reason, and an operator decides
    (`eventbus.publishing.rejected_records`). Publishing must stay fast, and each index that covers new rows slows every
    INSERT. So a rare query gets an index of sent rows only, which the relay fills, or no index.
    """

    event_id = models.UUIDField(_("event"))
    created_at = models.DateTimeField(_("created"))
    partition = models.PositiveSmallIntegerField(_("partition"), null=True)
    offset = models.PositiveBigIntegerField(_("offset"), null=True, db_column="log_offset")
    appended_at = models.DateTimeField(_("sent at"), null=True)
    rejected = models.TextField(_("why it was rejected"), default="", blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True)  # by an operator, once it was rejected

    class Meta:
        db_table = "eventbus_outbox"
        verbose_name = _("outbox event")
        verbose_name_plural = _("outbox")
        indexes = [
            models.Index(
                fields=["id"], name="eventbus_outbox_pending", condition=models.Q(offset__isnull=True, rejected="")
            ),
            # The relay reads it before each batch. It covers rejected rows only, so an INSERT does not write to it.
            models.Index(fields=["topic", "key"], name="eventbus_outbox_rejected", condition=models.Q(rejected__gt="")),
            # Finds all events of an order or a station for its journey page. It covers sent rows only.
            models.Index(fields=["key", "id"], name="eventbus_outbox_key", condition=models.Q(offset__isnull=False)),
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


class Timer(StoredEvent):
    """An event to be published at its time."""

    event_id = models.UUIDField(_("event"), unique=True)
    due = models.DateTimeField(_("due"), db_index=True)

    class Meta:
        verbose_name = _("timer")
        verbose_name_plural = _("timers")

    def __str__(self) -> str:
        return f"{self.type} {self.event_id} due {self.due}"
