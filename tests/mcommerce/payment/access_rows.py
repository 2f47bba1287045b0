"""Who may use the addresses, tables and sockets of payments. `tests/permissions` tries each row."""

from pathlib import Path
from typing import Any

from mcommerce.payment.models import Payment
from tests.permissions import sample_rows
from tests.permissions.access_needs import ALL, NO_METHOD, Desk, Route, permission

ROUTES: dict[str, Route] = {
    # Whoever pays for somebody harms nobody; nothing of the order is shown.
    "payment:pay": Route(get=NO_METHOD, post=ALL),
    "payment:return": Route(get=ALL),
    "payment:webhook": Route(get=NO_METHOD, post=ALL),  # a signature decides, not who sends it
}

DESK: dict[str, Desk] = {
    "payment.payment": Desk(actions={"ask_again": permission("payment.change_payment")}),
    "payment.refund": Desk(),
    "payment.ledgerentry": Desk(),
    "payment.webhookreceipt": Desk(),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """A payment at the sandbox."""
    return {"payment_id": sample_rows.row(Payment).pk, "provider": "sandbox"}
