"""Who may use the addresses, tables and sockets of payments. `tests/permissions` tries each row."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.test import Client

from eventbus import clock
from eventbus.ids import uuid7
from mcommerce.payment.models import Attempt, Payment
from mcommerce.payment.providers.sandbox import SIGNATURE_HEADER
from mcommerce.payment.sandbox import sign
from tests.permissions import sample_rows
from tests.permissions.access_needs import ALL, FRONT, NO_METHOD, SENT, Desk, Route, permission


def signed(client: Client) -> dict[str, Any]:
    """A webhook with the provider's signature, about something that the shop does not follow."""
    body = b'{"id":"evt_1","type":"payout.paid","session":{}}'
    headers = {SIGNATURE_HEADER: sign(body, secret=settings.SANDBOX_WEBHOOK_SECRET, at=int(clock.now().timestamp()))}
    return {SENT: {"data": body, "content_type": "application/json", "headers": headers}}


ROUTES: dict[str, Route] = {
    # Whoever pays for somebody harms nobody; nothing of the order is shown.
    "payment:pay": Route(get=NO_METHOD, post=ALL),
    "payment:return": Route(get=ALL, leads_to=("orders:order", *FRONT)),
    "payment:webhook": Route(get=NO_METHOD, post=ALL, data=signed),  # a signature decides, not who sends it
}

DESK: dict[str, Desk] = {
    "payment.payment": Desk(actions={"ask_again": permission("payment.change_payment")}),
    "payment.refund": Desk(),
    "payment.ledgerentry": Desk(),
    "payment.webhookreceipt": Desk(),
    "payment.refusedwebhooks": Desk(),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """A payment at the sandbox, of the customer's order where the site has orders. Its page to pay at is open."""
    shop = apps.is_installed("mcommerce.orders")
    order_id = sample_rows.order_of_the_customer().pk if shop else uuid7()
    later = clock.now() + timedelta(hours=1)
    payment = sample_rows.row(Payment, order_id=order_id, expires_at=later, provider="sandbox")
    url = "https://sandbox.example.com/pay/1"
    sample_rows.row(Attempt, payment=payment, provider="sandbox", url=url)
    return {"payment_id": payment.pk, "provider": "sandbox", "order_id": order_id}
