"""What must be true when the day is over, whatever happened in it: every order at its right end, once."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import F, Q, Sum

from eventbus import registry
from eventbus.audit import delivery_audit
from eventbus.models import (
    ConsumerGroup,
    DeadLetter,
    Effect,
    OperatorAction,
    OutboxRow,
    ParkedKey,
    Progress,
    ReplayRun,
    Timer,
)
from mcommerce.orders.carts.cart_return import GIVEN_BACK
from mcommerce.orders.models import CartLine, Order, OrderStep, Refund
from mcommerce.payment.models import LedgerEntry, Payment
from mcommerce.payment.models import Refund as PaymentRefund
from mcommerce.payment.services.ledger import Account, balances
from mcommerce.products.models import Stock, StockMovement
from tests import event_history
from tests.schema_validation import misfits_in_outbox
from tests.sweep import poison, shop_day
from tests.sweep.provider_process import Books
from tests.sweep.run import Run
from tests.sweep.shoppers import SHOPPERS, End, Shopper, all_of, mails

Action = OperatorAction.Action
MAY_REPEAT = {
    "payment.check_due.v1",
    "product.stock_changed.v1",
    "product.published.v1",
    "sweep.cooked.v1",
    "sweep.caught.v1",
}
DECLINES = {"payment.failed.v1", "order.payment_declined.v1"}
IN_DOUBT, CLEARED = "payment.in_doubt.v1", "payment.doubt_cleared.v1"
STATUS_CHANGED = "order.payment_status_changed.v1"


def violations(run: Run) -> list[str]:
    """Each in a sentence; none is what is wanted."""
    return [*orders(run), *stock(run), *money(run), *told(run), *bus(), *fitting(), *handled(), *dishes()]


def orders(run: Run) -> Iterator[str]:
    books = Books(run)
    for shopper in all_of(run):
        order = shopper.order
        if order is None:
            yield f"{shopper.name} could not order"
        else:
            yield from one_order(run, books, shopper, order, SHOPPERS[shopper.name][1])


def one_order(run: Run, books: Books, shopper: Shopper, order: Order, end: End) -> Iterator[str]:
    who = shopper.name
    if (order.state, order.cancel_reason) != (end.state, end.reason):
        yield f"{who}'s order is {order.state} {order.cancel_reason}, not {end.state} {end.reason}"
    if order.needs_attention:
        yield f"{who}'s order needs a person"
    if (sent := mails(run, order)) != sorted(end.mails):
        yield f"{who} got the mails {sent}, not {sorted(end.mails)}; {what_is_known_of_mails(order)}"
    charges = books.ask("SELECT amount, refunded FROM charge WHERE reference = ?", str(order.id))
    wanted = [(order.total, order.total if end.refunded else 0)] if end.charged else []
    if (taken := [(charge["amount"], charge["refunded"]) for charge in charges]) != wanted:
        yield f"the company's list says {taken} of {who}, not {wanted}"
    refunds = list(Refund.objects.filter(order=order).values_list("state", flat=True))
    if refunds != ([Refund.State.REFUNDED] if end.refunded else []):
        yield f"{who}'s refunds are {refunds}"
    yield from one_payment(books, who, order.id)
    back = 1 if end.reason in GIVEN_BACK else 0
    if (lies := sum(CartLine.objects.filter(cart=order.cart_id).values_list("quantity", flat=True))) != back:
        yield f"{lies} pieces lie in {who}'s cart, not {back}"


def what_is_known_of_mails(order: Order) -> str:
    """For whoever has to find out where one went: what was noted, what was set aside, and what is still told."""
    noted = list(order.steps.filter(kind=OrderStep.Kind.MAILED).values_list("detail", flat=True))
    key = str(order.id)
    aside = list(DeadLetter.objects.filter(group="mail", key=key).values_list("type", "state", "error_class"))
    rows = list(OutboxRow.objects.filter(topic="orders", key=key).order_by("id").values_list("type", "event_id"))
    states = dict(Effect.objects.filter(group="mail").values_list("event_id", "state"))
    return f"noted {noted}, set aside {aside}, told {[(kind, states.get(event)) for kind, event in rows]}"


def one_payment(books: Books, who: str, order_id: UUID) -> Iterator[str]:
    payment = Payment.objects.filter(order_id=order_id).first()
    if payment is None:
        return
    if payment.alarm:
        yield f"{who}'s payment has an alarm: {payment.alarm}"
    attempts = payment.attempts.count()
    if (sessions := books.sessions(order_id)) != attempts:
        yield f"{who} made {attempts} attempts, and the company has {sessions} sessions of them"
    for status in PaymentRefund.objects.filter(payment=payment).values_list("status", flat=True):
        if status != PaymentRefund.Status.SUCCEEDED:
            yield f"{who}'s money went {status}"


def stock(run: Run) -> Iterator[str]:
    ends = [SHOPPERS[shopper.name][1] for shopper in all_of(run)]
    sold, back = sum(end.sold for end in ends), sum(end.put_back for end in ends)
    for row in Stock.objects.select_related("product"):
        wanted = sold if row.product.sku == "VASE" else 0
        if (row.sold, row.held) != (wanted, 0) or row.on_hand + row.sold + row.lost != row.received:
            yield (
                f"{row.product.sku}: {row.received} received, {row.sold} sold (not {wanted}), {row.held} held, "
                f"{row.on_hand} there"
            )
    moved = dict(StockMovement.objects.order_by().values_list("kind").annotate(Sum("quantity")))
    told = [moved.get(kind, 0) for kind in (StockMovement.Kind.SOLD, StockMovement.Kind.RETURNED)]
    if told != [sold + back, back]:
        yield f"by the movements {told[0]} were sold and {told[1]} put back, not {sold + back} and {back}"


def money(run: Run) -> Iterator[str]:
    kept = sum(kept_of(shopper) for shopper in all_of(run))
    for account, wanted in ((Account.PROVIDER, kept), (Account.CUSTOMER, -kept)):
        if (held := balances().get((account, "EUR"), 0)) != wanted:
            yield f"our account {account} holds {held}, not {wanted}, which is what the orders come to"
    for kind, column in ((LedgerEntry.Kind.CAPTURE, "amount"), (LedgerEntry.Kind.REFUND, "refunded")):
        ours = LedgerEntry.objects.filter(kind=kind).aggregate(sum=Sum("amount"))["sum"] or 0
        [row] = Books(run).ask(f"SELECT coalesce(sum({column}), 0) AS sum FROM charge")
        if ours != row["sum"]:
            yield f"our books say {ours} of {kind}, the company's {row['sum']}"


def kept_of(shopper: Shopper) -> int:
    """What we may keep of a shopper's money when the day is over."""
    order, end = shopper.order, SHOPPERS[shopper.name][1]
    return order.total if order and end.charged and not end.refunded else 0


def told(run: Run) -> Iterator[str]:
    """No fact about an order is told twice; a decline as often as the company declined, for who dies may type again.

    A payment may be in doubt again once that is cleared. Its order's page hears of each, and that it can be paid.
    """
    counted = event_history.published()  # the janitor has pruned some of the outbox by now
    for (kind, key), times in counted.items():
        if kind in MAY_REPEAT:
            continue
        doubts, cleared = counted[IN_DOUBT, key], counted[CLEARED, key]
        most = {IN_DOUBT: 1 + cleared, CLEARED: doubts, STATUS_CHANGED: 1 + doubts + cleared}.get(kind, 1)
        if kind in DECLINES:
            most = max(1, Books(run).declines(key))
        if times > most:
            yield f"{kind} of {key} was told {times} times"


def bus() -> Iterator[str]:
    """Nothing is left lying about, and each event lies for each group in one place, where the counters say."""
    left = {
        "unsent events": OutboxRow.objects.filter(offset__isnull=True, withdrawn_at__isnull=True).count(),
        "timers": Timer.objects.count(),
        "paused groups": ConsumerGroup.objects.filter(paused_at__isnull=False).count(),
        "parked keys": ParkedKey.objects.count(),
        "dead letters": DeadLetter.objects.filter(state=DeadLetter.State.OPEN).count(),
        "running attempts": Progress.objects.filter(Q(running_event__isnull=False) | Q(crashes__gt=0)).count(),
        "effects in doubt": Effect.objects.filter(state=Effect.State.SENDING).count(),
    }
    asked = OperatorAction.objects.filter(action__in=["pause", "resume"]).order_by("id")
    if (trail := list(asked.values_list("action", flat=True))) != ["pause", "resume"]:
        yield f"a group was let rest and go on once, and the trail says {trail}"
    yield from (f"{group} still has an open circuit breaker" for group in shop_day.braked())
    yield from (f"{group} did not read to the end" for group in shop_day.behind())
    yield from (f"{count} {what} are left" for what, count in left.items() if count)
    for run in ReplayRun.objects.exclude(state=ReplayRun.State.DONE, handled=F("matched")):
        yield f"the replay {run} handled {run.handled} of {run.matched} events"
    yield from delivery_audit.problems(delivery_audit.read())


def fitting() -> list[str]:
    """Each event that is still in the outbox fits its JSON Schema."""
    return misfits_in_outbox(OutboxRow.objects.values_list("id", "type", "payload").order_by("id"))


def handled() -> Iterator[str]:
    """By the handlers' own record: all once and in order, but for what operators let go of or had tried again."""
    asked = {
        action: OperatorAction.objects.filter(action=action).values_list("group", "event_id")
        for action in (Action.DISCARD, Action.REQUEUE, Action.WITHDRAW)
    }
    doubts = {group for group, found in registry.groups.items() if found.effects}  # their keys do not wait for them
    told = event_history.Told(
        let_go={(group, event_id.hex) for group, event_id in asked[Action.DISCARD]},
        late={(group, event_id.hex) for group, event_id in asked[Action.REQUEUE] if group in doubts},
        withdrawn={event_id.hex for _, event_id in asked[Action.WITHDRAW]},
    )
    return event_history.problems_at_rest(told)


def dishes() -> Iterator[str]:
    if (eaten := poison.eaten()) != poison.SHOULD_BE_EATEN:
        yield f"eaten in this order: {eaten}"
