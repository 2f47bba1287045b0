"""Where a run's mails end: a line each in a file, in one write, so that no crash leaves half a mail."""

import os
import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from mcommerce.orders.models import Order
from tests.sweep.run import Run

LETTERS = "letters"
KINDS = {"is paid": "paid", "is cancelled": "cancelled", "Your money": "refunded"}


class Letterbox(BaseEmailBackend):
    """Sending is an effect like a real one: once written, it has happened, whoever dies next."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        file = os.open(settings.SWEEP_FOLDER / LETTERS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for message in email_messages:
            os.write(file, f"{message.subject}\n".encode())
        os.close(file)
        return len(email_messages)


def mails(run: Run, order: Order) -> list[str]:
    """Which mails about an order were sent, sorted; what is not known is shown as its subject."""
    box = run.folder / LETTERS
    subjects = box.read_text().splitlines() if box.exists() else []
    return sorted(kind_of(subject) for subject in subjects if re.search(rf"\b{order.number}\b", subject))


def kind_of(subject: str) -> str:
    return next((kind for words, kind in KINDS.items() if words in subject), subject)


def sent(run: Run, kind: str, order_id: Any) -> bool:
    return kind in mails(run, Order.objects.get(id=order_id))
