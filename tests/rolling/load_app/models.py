from django.db import models


class Answer(models.Model):
    """A worker answered somebody. Nothing is unique: who was answered twice is here twice."""

    name = models.TextField()
    number = models.IntegerField()
    process = models.IntegerField()
    at = models.FloatField()  # seconds since 1970, a moment before its commit

    class Meta:
        db_table = "shift_answer"

    def __str__(self) -> str:
        return f"{self.name} {self.number} by {self.process}"
