"""The faults of which operators were told, or will be."""

from django.db import models

FAULT_CHARACTERS_MAX = 250
WHAT_CHARACTERS_MAX = 10


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
