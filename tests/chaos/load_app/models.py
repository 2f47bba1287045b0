"""What the town writes down. Nothing that is handled is unique: what was handled twice is here twice."""

from django.db import models


class Caller(models.Model):
    """How often somebody has called: the order of calls as the town's own rows know it."""

    name = models.TextField(primary_key=True)
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "town_caller"

    def __str__(self) -> str:
        return f"{self.name}: {self.calls}"


class Told(models.Model):
    """An event that was published in this row's transaction. `number` is its place among its caller's, 0 for timers."""

    token = models.TextField(unique=True)
    kind = models.TextField()
    name = models.TextField()
    number = models.PositiveIntegerField()

    class Meta:
        db_table = "town_told"

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.number}"


class Seen(models.Model):
    """A group's handler saw an event; in the order of the ids, for those of a name."""

    group = models.TextField()
    kind = models.TextField()
    name = models.TextField()
    token = models.TextField()

    class Meta:
        db_table = "town_seen"
        indexes = [models.Index(fields=["token", "group"], name="town_seen_token")]

    def __str__(self) -> str:
        return f"{self.group} saw {self.kind} of {self.name}"
