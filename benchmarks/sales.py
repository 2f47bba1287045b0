"""What the bus benchmarks write and tell: a sale, a domain row as any, and the event of it."""

from uuid import UUID

from django.db import connection, models

from eventbus import Event, backends
from eventbus.backends.base import TopicPartition
from eventbus.ids import uuid7
from eventbus.models import Progress

EVENT_BYTES = 300  # of an event's data over Kafka
LEDGER = "benchmarks_ledger"  # the table that the handler writes to
PADDING = "-" * 218  # behind the currency, what makes it so many


class Sale(models.Model):
    """Lives in the benchmark's own database alone: its table is made by `make_table`, not by a migration."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    order_id = models.UUIDField(default=uuid7)
    amount = models.PositiveIntegerField(default=1900)
    currency = models.CharField(max_length=3, default="EUR")

    class Meta:
        app_label = "benchmarks"

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class SaleMade(Event, name="benchmark.sale_made", topic="benchmark", key="order_id"):
    """Something was sold."""

    order_id: UUID
    amount: int
    currency: str


def made(sale: Sale, padding: str = "") -> SaleMade:
    return SaleMade(order_id=sale.order_id, amount=sale.amount, currency=sale.currency + padding)


def make_table() -> None:
    if Sale._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Sale)


def skip_backlog() -> None:
    """Let every group stand at the log's end: what other benchmarks told is not for it."""
    for row in Progress.objects.all():
        row.offset = backends.current().end(TopicPartition(row.topic, row.partition))
        row.save()
