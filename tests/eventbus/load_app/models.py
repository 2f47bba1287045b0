from django.db import models


class Seen(models.Model):
    """The handler saw an event, in this process. Nothing is unique: what was handled twice is here twice."""

    name = models.TextField()
    number = models.IntegerField()
    process = models.IntegerField()

    class Meta:
        db_table = "crowd_seen"

    def __str__(self) -> str:
        return f"{self.name} {self.number} in {self.process}"
