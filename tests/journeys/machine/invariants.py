"""What must be true of the shop at any moment (I1, I2, I4, I5, I7), and at rest (I3 and the sharp ends).

Asked of the tables and of the payment provider's own books, never of the services. The text of a failure begins with
the name of the truth.
"""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from django.core import mail
from django.db.models import F, Q, Sum

from eventbus.models import DeadLetter, Effect, OutboxRow, ParkedKey, Timer
from mcommerce.orders.models import Order, OrderStep
from mcommerce.orders.models import Refund as AskedRefund
from mcommerce.payment.models import Attempt, LedgerEntry, Payment, Refund
from mcommerce.products.models import Reservation, ReservationLine, Stock, StockMovement
from tests import event_history
from tests.event_history import Told
from tests.journeys.machine.provider import Company

PROVIDER, CUSTOMER = LedgerEntry.Account.PROVIDER, LedgerEntry.Account.CUSTOMER
HELD, COMMITTED, RELEASED = Reservation.Status.HELD, Reservation.Status.COMMITTED, Reservation.Status.RELEASED
RETURNED, Moved = Reservation.Status.RETURNED, StockMovement.Kind
ONCE = ("placed", "reserved", "paid", "cancelled", "shipped", "refunded")  # steps that an order takes at most once


def check(came: Mapping[UUID, int], company: Company, told: Told, *, restored: bool = False) -> None:
    """At any moment. `came`: pieces of each product that came, less those written off; `told`: by operators.

    A database that was `restored` does not know of a page that was opened before, and opens another.
    """
    nothing_oversold(came)
    if not restored:
        nobody_charged_twice(company)
    books_know_their_charges(company)
    money_conserved(company)
    accounts_hold_what_payments_say()
    each_effect_once()
    # I7 by the tests' own record of what was published and handled
    assert not (wrong := list(event_history.problems(told))), f"I7: {wrong}"


def check_at_rest(came: Mapping[UUID, int], company: Company, told: Told, *, restored: bool = False) -> None:
    """When no timer is left and everything was heard."""
    check(came, company, told, restored=restored)
    nothing_stuck()
    assert not (wrong := list(event_history.problems_at_rest(told))), f"I7: {wrong}"
    no_capture_without_its_order(company)
    books_agree(company)


def nothing_oversold(came: Mapping[UUID, int]) -> None:
    """I1"""
    pieces, moved = _pieces(), _moved()
    for product, *books in Stock.objects.values_list("product_id", "held", "sold", "on_hand"):
        out, sold, there = pieces[product, HELD], pieces[product, COMMITTED], came[product]
        assert out + sold <= there, f"I1: {out} held and {sold} sold of {there}"
        assert [out, sold, there - sold] == books, f"I1: {out} held, {sold} sold of {there}; in the books {books}"
        held = moved[product, Moved.HELD] - moved[product, Moved.RELEASED] - moved[product, Moved.SOLD]
        kept = moved[product, Moved.SOLD] - moved[product, Moved.RETURNED]
        assert [held, kept] == [out, sold], f"I1: {held} held, {kept} sold by the movements, not {out} and {sold}"
        back = pieces[product, RETURNED]
        assert moved[product, Moved.RETURNED] == back, f"I1: {moved[product, Moved.RETURNED]} put back, not {back}"


def _pieces() -> Counter[tuple[UUID, str]]:
    """By product and the state of their reservation."""
    lines = ReservationLine.objects.values_list("product_id", "reservation__status").annotate(Sum("quantity"))
    return Counter({(product, status): quantity for product, status, quantity in lines})


def _moved() -> Counter[tuple[UUID, str]]:
    """By product and what happened to them."""
    rows = StockMovement.objects.order_by().values_list("product_id", "kind").annotate(Sum("quantity"))
    return Counter({(product, kind): quantity for product, kind, quantity in rows})


def nobody_charged_twice(company: Company) -> None:
    """I2"""
    per_order = Counter(charge["reference"] for charge in company.charges())
    assert max(per_order.values(), default=0) <= 1, f"I2: charged twice: {per_order.most_common(1)}"


def books_know_their_charges(company: Company) -> None:
    """I2, of what was paid."""
    charges = {charge["id"]: charge for charge in company.charges()}
    paid = Payment.objects.filter(Q(status="succeeded") | Q(captured__gt=0))
    for order, known_as, captured in paid.values_list("order_id", "provider_ref", "captured"):
        charge = charges.get(known_as)
        assert charge, f"I2: the company knows nothing of {known_as}"
        taken = (charge["reference"], charge["amount"])
        assert taken == (str(order), captured), f"I2: {taken}, in the books {captured}"


def money_conserved(company: Company) -> None:
    """I4: what we wrote down never exceeds what the company did, and nothing more goes back than came."""
    entered = dict(LedgerEntry.objects.values_list("kind").annotate(Sum("amount")))
    taken = sum(charge["amount"] for charge in company.charges())
    returned = sum(refund["amount"] for refund in company.refunds())
    assert entered.get("capture", 0) <= taken, f"I4: {entered} captured, {taken} at the company"
    assert entered.get("refund", 0) <= returned <= taken, f"I4: {entered} refunded, {returned} at the company"
    assert not Payment.objects.filter(refunded__gt=F("captured")).exists(), "I4: more goes back than came"


def accounts_hold_what_payments_say() -> None:
    """I4: of each order the company holds for us what was captured less what went back, and we owe it to customers."""
    held = _held()
    returned = dict(Refund.objects.filter(status="succeeded").values_list("payment").annotate(Sum("amount")))
    for payment, order, captured, currency in Payment.objects.values_list("id", "order_id", "captured", "currency"):
        kept = captured - returned.get(payment, 0)
        ours = [held[order, account, currency] for account in (PROVIDER, CUSTOMER)]
        assert ours == [kept, -kept], f"I4: the company's and the customers' accounts hold {ours} of {kept}"


def _held() -> Counter[tuple[UUID, str, str]]:
    """Debits less credits, for each order, account and currency."""
    held: Counter[tuple[UUID, str, str]] = Counter()
    entries = LedgerEntry.objects.values_list("payment__order_id", "debit", "credit", "currency", "amount")
    for order, debit, credit, currency, amount in entries:
        held[order, debit, currency] += amount
        held[order, credit, currency] -= amount
    return held


def each_effect_once() -> None:
    """I5"""
    assert not (twice := event_history.twice()), f"I5: {twice}"
    subjects = Counter(message.subject for message in mail.outbox)
    assert max(subjects.values(), default=0) <= 1, f"I5: the same mail twice: {subjects.most_common(1)}"
    steps = Counter(OrderStep.objects.filter(kind__in=ONCE).values_list("order_id", "kind"))
    assert max(steps.values(), default=0) <= 1, f"I5: the same step twice: {steps.most_common(1)}"


def nothing_stuck() -> None:
    """I3, the order's side: each is paid and gets its goods, or is cancelled and holds none."""
    assert not OutboxRow.objects.filter(offset__isnull=True).exists(), "I3: an event was not told"
    stuck = [f"{key.group} {key.topic} {key.error}" for key in ParkedKey.objects.all()]
    assert not stuck, f"I3: waits for ever: {stuck}"
    dead = [f"{one.group} {one.type} {one.error}" for one in DeadLetter.objects.filter(state=DeadLetter.State.OPEN)]
    assert not dead, f"I3: dead: {dead}"
    assert not Attempt.objects.filter(outcome__in=["open", "action_required"]).exists(), "I3: an attempt stays open"
    assert not Timer.objects.exists(), "I3: a timer never ends"
    reserved = dict(Reservation.objects.values_list("order_id", "status"))
    for order in Order.objects.all():
        assert order.state in ("paid", "shipped", "cancelled"), f"I3: an order stays {order.state}"
        if order.state != "cancelled":
            assert reserved[order.id] == COMMITTED, f"I3: paid, and its goods are {reserved[order.id]}"
        else:
            ends = (RELEASED, RETURNED)
            assert reserved[order.id] in ends, f"I3: cancelled, and its goods are {reserved[order.id]} for ever"
    assert not Effect.objects.filter(state=Effect.State.SENDING).exclude(group="mail").exists(), "I3: in doubt for ever"


def no_capture_without_its_order(company: Company) -> None:
    """I3, the money's side."""
    orders = {str(order.id): order for order in Order.objects.all()}
    for reference, kept in _kept(company).items():
        order = orders.get(reference)  # one that a restore forgot has its money back
        due = 0 if order is None or order.state == "cancelled" else order.total
        assert kept == due, f"I3: {kept} kept for an order that is {order and order.state}, and not {due}"
    paid = {order_id for order_id, order in orders.items() if order.state != "cancelled" and order.total}
    assert paid <= {charge["reference"] for charge in company.charges()}, "I3: goods for nothing"
    assert not AskedRefund.objects.exclude(state="refunded").exists(), "I3: a refund never came"


def _kept(company: Company) -> Counter[str]:
    """By order, what was charged and not given back."""
    kept: Counter[str] = Counter()
    for charge in company.charges():
        kept[charge["reference"]] += charge["amount"] - charge["refunded"]
    return kept


def books_agree(company: Company) -> None:
    """I4, sharp: our books and the company's are the same, and each account holds what the orders come to."""
    entered = dict(LedgerEntry.objects.values_list("kind").annotate(Sum("amount")))
    here = set(map(str, Order.objects.values_list("id", flat=True)))
    charges = [charge for charge in company.charges() if charge["reference"] in here]
    theirs = (sum(charge["amount"] for charge in charges), sum(charge["refunded"] for charge in charges))
    ours = (entered.get("capture", 0), entered.get("refund", 0))
    assert ours == theirs, f"I4: {ours} in our books, {theirs} in the company's"
    kept = _kept(company)
    held = _held()
    for order in Order.objects.all():
        due = 0 if order.state == "cancelled" else order.total
        holds = [held[order.id, account, order.currency] for account in (PROVIDER, CUSTOMER)]
        wanted = [kept[str(order.id)], -due]
        assert holds == wanted, f"I4: the accounts hold {holds} for an order that is {order.state}, not {wanted}"
