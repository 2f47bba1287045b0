"""What `manage.py reconcile` finds and mends, as a test asks it."""

import json

from eventbus.testing import settle
from mcommerce.orders.models import Order
from mcommerce.payment.models import Attempt, LedgerEntry, Payment, WebhookReceipt
from mcommerce.payment.models import Refund as PaymentRefund
from tests.eventbus.test_commands import run


def found(*options: str) -> tuple[int, dict[str, str]]:
    """The exit code, and each difference by name with what came of it."""
    code, said, _complaint = run("reconcile", "--json", *options)
    return code, {one["name"]: one["outcome"] for one in json.loads(said)["differences"]}


def is_repaired(*names: str) -> bool:
    """These are found and nothing is changed by finding them; then they are repaired, and a further run finds none."""
    assert found() == found() == (1, dict.fromkeys(names, ""))
    assert found("--repair", f"--expect={len(names)}") == (0, dict.fromkeys(names, "repaired"))
    settle()
    assert found() == (0, {})
    return True


def forget_payment(order: Order) -> None:
    """What a database knows of the payment that was saved before there was one."""
    for model in (LedgerEntry, PaymentRefund, Attempt):
        model.objects.filter(payment__order_id=order.id).delete()
    WebhookReceipt.objects.all().delete()
    Payment.objects.filter(order_id=order.id).delete()
