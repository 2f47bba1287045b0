"""The tables of operators' actions and replays."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from eventbus.column_sizes import GROUP_CHARACTERS_MAX, TYPE_CHARACTERS_MAX, WHO_CHARACTERS_MAX
from eventbus.events import KEY_CHARACTERS_MAX


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

    class Meta:
        verbose_name = _("operator's action")
        verbose_name_plural = _("operators' actions")

    def __str__(self) -> str:
        return f"{self.at} {self.who} {self.action} {self.event_id or self.group}"


class ReplayRun(models.Model):
    """A run of a group's replayable handlers over a range of the log. `id` is the `replay` of its inbox rows.

    `offsets` is JSON, {"topic/partition": [next, end]}: the run's next offset and its end, fixed when it begins.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("running")
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
    offsets = models.TextField(_("offsets"), default="{}")
    matched = models.PositiveBigIntegerField(_("matched"), default=0)
    handled = models.PositiveBigIntegerField(_("handled"), default=0)
    error = models.TextField(_("error"), default="", blank=True)

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")

    def __str__(self) -> str:
        return f"{self.group} {self.id} {self.state}"
