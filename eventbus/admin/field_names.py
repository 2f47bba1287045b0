"""The names of the bus's table fields in the admin, in the reader's language.

They are here and not in the models, where each name, and each later change of one, would be a migration.
"""

from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

FIELD_NAMES = {
    "accepted_at": _("seen to at"),
    "accepted_by": _("seen to by"),
    "action": _("what was asked"),
    "appended_at": _("sent at"),
    "assignment": _("partitions that it reads"),
    "at": _("when"),
    "attempts": _("attempts"),
    "beat": _("beat"),
    "beat_at": _("last sign of life"),
    "began_at": _("began"),
    "begin": _("begins at"),
    "behind": _("waited behind another"),
    "breaker_reason": _("why the circuit breaker opened"),
    "breaker_opened_at": _("circuit breaker open since"),
    "claimed_at": _("claimed"),
    "claims": _("claims"),
    "count": _("how many"),
    "crashes": _("crashes"),
    "created_at": _("created"),
    "decision": _("decided with"),
    "died_at": _("died"),
    "discarded": pgettext_lazy("column", "discarded"),
    "discarded_at": _("discarded at"),
    "due": _("due"),
    "due_at": _("next attempt"),
    "end": _("ends before"),
    "ended_at": _("ended"),
    "epoch": _("epoch"),
    "error": _("error"),
    "error_class": _("error"),
    "event_id": _("event"),
    "events": _("events"),
    "first_at": _("first at"),
    "generation": _("which log"),
    "group": _("group"),
    "handled": _("handled"),
    "handled_at": _("handled at"),
    "headers": _("headers"),
    "host": _("host"),
    "ignored": _("ignored"),
    "key": _("key"),
    "last": _("numbers up to"),
    "last_at": _("last at"),
    "matched": _("matched"),
    "moved_at": _("last moved"),
    "name": _("name"),
    "noted_at": _("noted"),
    "owner": _("owner"),
    "parked_at": _("parked since"),
    "parked_key": _("parked key"),
    "parks": _("parks its key"),
    "partition": _("partition"),
    "partitions": _("partitions that have keys"),
    "paused_at": _("paused since"),
    "paused_by": _("paused by"),
    "payload": _("content"),
    "pid": _("process id"),
    "offset": _("offset"),
    "offsets": _("offsets"),
    "pruned_before": _("pruned of a log before"),
    "pruned_discarded": _("discarded, pruned"),
    "pruned_handled": _("handled, pruned"),
    "pruned_ignored": _("ignored, pruned"),
    "refill_to": _("appended again up to"),
    "rejected": _("why it was rejected"),
    "released": _("last epoch that ended in order"),
    "replay": _("replay"),
    "request": _("asked for"),
    "role": _("role"),
    "running": _("running"),
    "running_event": _("event in hand"),
    "seen_at": _("set aside at"),
    "since": _("from"),
    "source": _("source"),
    "start": _("start"),
    "state": _("state"),
    "through": _("takes parked events up to"),
    "topic": _("topic"),
    "traceback": _("traceback"),
    "type": _("event type"),
    "until": _("until"),
    "untrusted": _("set aside as untrusted"),
    "who": _("who"),
    "withdrawn_at": _("withdrawn at"),
}


def name_fields(tables: Iterable[type[models.Model]]) -> None:
    """Let lists, filters and forms of these tables show the names. Migrations see no change."""
    for table in tables:
        for field in table._meta.fields:
            field.verbose_name = FIELD_NAMES.get(field.name, field.verbose_name)
