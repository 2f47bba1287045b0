"""The tables of leases and of processes."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from eventbus.column_sizes import HOST_CHARACTERS_MAX, WHO_CHARACTERS_MAX

RELEASE_CHARACTERS_MAX = 40  # a commit's whole name
LOGGER_CHARACTERS_MAX = 60  # a dotted name of a module


class LeaseRow(models.Model):
    """The lease of the one process that relays, dispatches or polls."""

    name = models.CharField(_("name"), max_length=100, primary_key=True)
    owner = models.CharField(_("owner"), max_length=40, default="", blank=True)
    beat = models.PositiveBigIntegerField(_("beat"), default=0)
    epoch = models.PositiveBigIntegerField(_("epoch"), default=0)

    class Meta:
        db_table = "eventbus_lease"
        verbose_name = _("lease")
        verbose_name_plural = _("leases")

    def __str__(self) -> str:
        return f"{self.name} {self.owner}"


class ProcessRow(models.Model):
    """A process of the site, as its last heartbeat describes it. Only operators read it: no code decides by it."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        STANDBY = "standby", _("stands by")

    id = models.UUIDField(primary_key=True)
    role = models.CharField(_("role"), max_length=20)
    host = models.CharField(_("host"), max_length=HOST_CHARACTERS_MAX)
    pid = models.PositiveIntegerField(_("process id"))
    state = models.CharField(
        _("state"), max_length=10, choices=State, default="", blank=True
    )  # only for roles of which one process is active at a time
    assignment = models.JSONField(
        _("partitions that it reads"), default=dict, blank=True
    )  # partitions by consumer group
    release = models.CharField(
        _("release"), max_length=RELEASE_CHARACTERS_MAX, default="", db_default="", blank=True
    )  # "": the environment names none
    began_at = models.DateTimeField(_("began"))
    beat_at = models.DateTimeField(_("last sign of life"))

    class Meta:
        db_table = "eventbus_process"
        verbose_name = _("process")
        verbose_name_plural = _("processes")

    def __str__(self) -> str:
        return f"{self.role} {self.host} {self.pid}"


class LogLevel(models.Model):
    """A log level that an administrator has set until a time. `process` is a `ProcessRow.id`, None for all processes.

    `logger` is "root" for the logger above all others.
    """

    class Level(models.TextChoices):
        DEBUG = "DEBUG"
        INFO = "INFO"
        WARNING = "WARNING"
        ERROR = "ERROR"

    logger = models.CharField(_("logger"), max_length=LOGGER_CHARACTERS_MAX)
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    process = models.UUIDField(_("process"), null=True, blank=True)
    who = models.CharField(_("who"), max_length=WHO_CHARACTERS_MAX)
    until = models.DateTimeField(_("until"))

    class Meta:
        db_table = "eventbus_log_level"
        verbose_name = _("log level")
        verbose_name_plural = _("log levels")

    def __str__(self) -> str:
        return f"{self.logger} {self.level} until {self.until}"
