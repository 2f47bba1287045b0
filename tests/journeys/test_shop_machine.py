"""Random days in the shop under random mischief: never oversold, never charged twice, nothing stuck, nothing twice.

RANDOM_SEED chooses the days, RANDOM_DAYS how many: `make days` walks for longer. A shop with a fault planted must be
found out, by the truth that the fault breaks.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from eventbus import inbox
from mcommerce.orders import services as orders
from mcommerce.payment import services as payments
from mcommerce.payment.models import Attempt, Payment
from mcommerce.payment.providers import sandbox
from mcommerce.products import stock
from mcommerce.products.models import Stock

from .machine import truths
from .machine.floor import Floor, floor
from .machine.people import ShopMachine

__all__ = ["floor"]  # a fixture

DAYS, STEPS = 75, 30
STEPS_MIN = 2_000
DAYS_UNTIL_FOUND = 200  # each planted fault shows itself within ten or so; later, and the machine has gone blind
SEED = int(os.environ.get("RANDOM_SEED", "1"))
FINDING, TELLING = (Phase.generate,), (Phase.generate, Phase.target, Phase.shrink)


def walk(floor: Floor, *, days: int, phases: tuple[Phase, ...]) -> None:
    """So many days. Raises what a day ends with; TELLING makes that day as short as it can be."""
    chosen = hypothesis.settings(
        max_examples=days,
        stateful_step_count=STEPS,
        phases=phases,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(SEED)(lambda: ShopMachine(floor)), settings=chosen)


def test_whatever_happens_the_shop_keeps_its_promises(floor: Floor) -> None:
    days = int(os.environ.get("RANDOM_DAYS", DAYS))
    print(f"{days} days of {STEPS} steps. The same again: RANDOM_SEED={SEED} RANDOM_DAYS={days} make days")

    walk(floor, days=days, phases=TELLING)

    print(
        f"{floor.steps} steps, {floor.rests} days, {floor.deeds} deeds of the adversary, {floor.trouble.met} troubles"
    )
    assert floor.rests >= days
    assert floor.steps >= min(STEPS_MIN, days * STEPS)
    assert floor.deeds > days
    assert floor.trouble.met > 0


# --- planted faults ------------------------------------------------------------------------------------------------


@contextmanager
def unguarded_stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever asks gets pieces, and the database does not mind."""
    monkeypatch.setattr(stock, "_enough", lambda product_id, quantity: Stock.objects.filter(product_id=product_id))
    on_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if on_postgresql:  # rolled back with the test
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or it waits for foreign keys to be looked at
            cursor.execute("ALTER TABLE products_stock DROP CONSTRAINT stock_held_is_on_hand")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        else:
            cursor.execute("PRAGMA ignore_check_constraints = ON")
    yield
    if not on_postgresql:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


@contextmanager
def no_inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(inbox, "known", lambda group, event_ids, **run: set())
    monkeypatch.setattr(inbox, "note", lambda group, event_ids, **run: None)
    yield


@contextmanager
def late_capture_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Money that comes for a cancelled order stays."""
    send_back: Callable[..., Any] = orders._send_back

    def keep(order: Any, *given: Any) -> list[Any]:
        return [] if order.state == "cancelled" else send_back(order, *given)

    monkeypatch.setattr(orders, "_send_back", keep)
    yield


@contextmanager
def new_attempt_on_timeout(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No answer is taken for a no: the shopper may pay on another page, with another key.

    In the evening the forgotten capture would be missed too (I3), often before anybody has paid twice: nobody looks.
    """
    claim: Callable[..., Any] = payments._claim_attempt

    def forget_and_claim(*, order_id: Any, **named: Any) -> Any:
        unanswered = Payment.objects.filter(order_id=order_id, status=Payment.Status.UNKNOWN)
        if unanswered.exists():
            Attempt.objects.filter(payment__in=unanswered).update(outcome=Attempt.Outcome.EXPIRED)
            unanswered.update(status=Payment.Status.NEW)
        return claim(order_id=order_id, **named)

    monkeypatch.setattr(payments, "_claim_attempt", forget_and_claim)
    monkeypatch.setattr(truths, "check_at_rest", truths.check)
    yield


@contextmanager
def unsigned_webhooks_trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sandbox, "check_signature", lambda header, body, *, secret, now: None)
    yield


FAULTS = {
    unguarded_stock: "I1",
    new_attempt_on_timeout: "I2",
    unsigned_webhooks_trusted: "I2",
    late_capture_kept: "I3",
    no_inbox: "I5",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_shop_with_a_fault_is_found_out(fault: Any, floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault(monkeypatch), pytest.raises(AssertionError, match=f"^{FAULTS[fault]}: "):
        walk(floor, days=DAYS_UNTIL_FOUND, phases=FINDING)
