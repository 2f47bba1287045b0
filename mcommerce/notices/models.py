"""The faults of which operators were told, or will be, and the ways by which no notice leaves."""

from django.db import models

FAULT_CHARACTERS_MAX = 250
WHAT_CHARACTERS_MAX = 10
ERROR_CHARACTERS_MAX = 200


class ToldFault(models.Model):
    """A fault that began, and its notices. One process writes it: the owner of the lease."""

    id = models.CharField(primary_key=True, max_length=FAULT_CHARACTERS_MAX)
    title = models.CharField(max_length=FAULT_CHARACTERS_MAX)
    text = models.TextField()
    link = models.TextField(default="", blank=True)
    since = models.DateTimeField()
    active = models.BooleanField(default=True)  # it is there, as far as the last checks in a row say
    told_at = models.DateTimeField(null=True, blank=True)  # the last notice of its beginning
    told = models.BooleanField(default=False)  # of its present beginning
    mail_due = models.CharField(max_length=WHAT_CHARACTERS_MAX, default="", blank=True)
    webhook_due = models.CharField(max_length=WHAT_CHARACTERS_MAX, default="", blank=True)

    class Meta:
        db_table = "notices_fault"
        verbose_name = "told fault"
        verbose_name_plural = "told faults"
        default_permissions = ()  # the overview shows faults: nobody opens this table

    def __str__(self) -> str:
        return self.title


class FailingWay(models.Model):
    """A way of the notices, `mail` or `webhook`, whose last tries have all failed. A success deletes the row."""

    way = models.CharField(primary_key=True, max_length=WHAT_CHARACTERS_MAX)
    since = models.DateTimeField()
    tried_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=1)
    error = models.CharField(max_length=ERROR_CHARACTERS_MAX)

    class Meta:
        verbose_name = "failing way of notices"
        verbose_name_plural = "failing ways of notices"
        default_permissions = ()  # the overview shows it

    def __str__(self) -> str:
        return self.way
