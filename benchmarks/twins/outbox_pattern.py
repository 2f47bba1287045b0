"""django-outbox-pattern, made to do what we measure: take events from its outbox and send them to nothing."""

import logging

from django.db import transaction
from django_outbox_pattern.models import Published
from django_outbox_pattern.producers import Producer

from eventbus.ids import uuid7

logging.getLogger("django_outbox_pattern").setLevel(logging.WARNING)  # a line for each message is not what we measure


class Nowhere:
    """A STOMP connection that takes everything and sends nothing."""

    def is_connected(self) -> bool:
        return True

    def send(self, **message: object) -> None:
        pass

    def disconnect(self) -> None:
        pass


class Unresting(Producer):
    """django-outbox-pattern's producer, without the second that it waits after each look."""

    def _waiting(self) -> None:
        pass


def publish(count: int) -> None:
    with transaction.atomic():
        Published.objects.bulk_create(
            Published(destination="sales", body={"order_id": str(uuid7()), "amount": 1900, "currency": "EUR"})
            for _ in range(count)
        )


def relay() -> None:
    Unresting(Nowhere(), "", "").publish_message_from_database()
