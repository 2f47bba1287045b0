"""Orders as the operators' search finds them: what became of each in plain words, and the steps that it has taken."""

from collections.abc import Iterator, Sequence

from django.db.models import Prefetch, Value
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from eventbus.ids import text as id_text
from eventbus.journeys.search import identity
from eventbus.journeys.subjects import Answer, Fact, Subject, Tone
from mcommerce.events import CancelReason, RefundReason
from mcommerce.money.template_filters import money
from mcommerce.orders.models import CANCEL_REASONS, REFUND_REASONS, Order, OrderStep, Refund
from mcommerce.staff_permissions import name_of

ORDERS_MAX = 20  # of one e-mail address: the newest
Kind, State, PaymentStatus = OrderStep.Kind, Order.State, Order.PaymentStatus
Text = str | Promise

STANDS: dict[str, Text] = {
    State.PLACED: gettext_lazy("It is placed. The stock has not said yet whether the goods can be set aside."),
    State.AWAITING_PAYMENT: gettext_lazy("The goods are set aside, and it is not paid yet."),
    State.CLOSING: gettext_lazy("The time to pay is over. The payment must be closed before it is cancelled."),
    State.PAID: gettext_lazy("It is paid, and not sent yet."),
    State.SHIPPED: gettext_lazy("It is on its way to the customer."),
    State.DELIVERED: gettext_lazy("It was delivered."),
    State.CANCELLED: gettext_lazy("It is cancelled."),
}
REASONS: dict[str, Text] = {
    CancelReason.STOCK_REJECTED: gettext_lazy("There was not enough in stock when it was placed."),
    CancelReason.PAYMENT_TIMEOUT: gettext_lazy("It was not paid in time."),
    CancelReason.CUSTOMER: gettext_lazy("The customer cancelled it."),
    CancelReason.STAFF: gettext_lazy("Staff cancelled it."),
    CancelReason.STOCK_LOST: gettext_lazy("It was paid, but its goods were not in stock any more."),
}
# The steps in the words of staff. The others are in the words of the customer's page.
STEPS: dict[str, Text] = {
    Kind.RESERVED: gettext_lazy("Order: the goods are set aside, and it awaits its payment"),
    Kind.CONFIRMATION_ASKED: gettext_lazy("Order: the bank asks the customer to confirm the payment"),
    Kind.DECLINED: gettext_lazy("Order: a try to pay was refused"),
    Kind.IN_DOUBT: gettext_lazy("Order: the payment provider does not say whether it is paid"),
    Kind.DOUBT_CLEARED: gettext_lazy("Order: the payment provider says that it is not paid yet"),
    Kind.OVERDUE: gettext_lazy("Order: the time to pay is over, and the payment is being closed"),
    Kind.PAID: gettext_lazy("Order: paid"),
    Kind.CANCELLED: gettext_lazy("Order: cancelled"),
    Kind.REFUND_REQUESTED: gettext_lazy("Order: a refund is asked for"),
    Kind.REFUNDED: gettext_lazy("Order: the refund is made"),
    Kind.REFUND_FAILED: gettext_lazy("Order: the refund failed"),
    Kind.SHIPPED: gettext_lazy("Order: sent"),
    Kind.DELIVERED: gettext_lazy("Order: delivered"),
    Kind.RETURNED: gettext_lazy("Order: the goods came back"),
    Kind.MAILED: gettext_lazy("Mail sent to the customer"),
    Kind.LOOKED_AT: gettext_lazy("Order: a member of staff has looked at it"),
}
DECLINES: dict[str, Text] = {
    "card_declined": gettext_lazy("the bank declined the card"),
    "insufficient_funds": gettext_lazy("there was not enough money on the card"),
    "expired_card": gettext_lazy("the card had expired"),
    "authentication_refused": gettext_lazy("the payment was not approved at the bank"),
    "session_expired": gettext_lazy("the payment page was open for too long"),
}
DETAILS: dict[str, Text] = {
    **{str(code): text for code, text in CANCEL_REASONS.items()},
    **DECLINES,
    **{f"refund {code}": text for code, text in REFUND_REASONS.items()},
    "mail paid": gettext_lazy("confirmation of the payment"),
    "mail cancelled": gettext_lazy("cancellation"),
    "mail refunded": gettext_lazy("refund"),
    "mail shipped": gettext_lazy("dispatch"),
}
PREFIXES: dict[str, str] = {Kind.REFUND_REQUESTED: "refund ", Kind.MAILED: "mail "}  # of keys in DETAILS
TONES: dict[str, Tone] = {
    **dict.fromkeys((Kind.PAID, Kind.REFUNDED, Kind.SHIPPED, Kind.DELIVERED), "good"),
    **dict.fromkeys((Kind.DECLINED, Kind.CANCELLED, Kind.REFUND_FAILED, Kind.IN_DOUBT), "bad"),
}
# The step that brought an order into its state.
REACHED_BY: dict[str, OrderStep.Kind] = {
    State.PLACED: Kind.PLACED,
    State.AWAITING_PAYMENT: Kind.RESERVED,
    State.CLOSING: Kind.OVERDUE,
    State.PAID: Kind.PAID,
    State.SHIPPED: Kind.SHIPPED,
    State.DELIVERED: Kind.DELIVERED,
    State.CANCELLED: Kind.CANCELLED,
}


def find(text: str) -> Iterator[Subject]:
    """Yield the orders with this id, number or e-mail address, the newest first."""
    steps = OrderStep.objects.annotate(by_name=name_of("by"))
    orders = Order.objects.prefetch_related(Prefetch("steps", steps), "refunds", "lines")
    if one := identity(text):
        found = orders.filter(pk=one)
    else:  # by the indexes of these columns
        name = "email" if "@" in text else "number"
        found = orders.alias(upper=Upper(name)).filter(upper=Upper(Value(text)))[:ORDERS_MAX]
    for order in found:
        yield Subject(
            title=_("Order %(number)s: %(state)s") % {"number": order.number, "state": order.get_state_display()},
            keys=(id_text(order.pk),),
            permission="orders.view_order",
            page=reverse("admin:orders_order_change", args=[order.pk]),
            facts=tuple(_fact(order, step) for step in order.steps.all()),
            answers=tuple(_answers(order)),
        )


# --- its history ---------------------------------------------------------------------------------------------------


def _fact(order: Order, step: OrderStep) -> Fact:
    text = str(STEPS.get(step.kind) or step.get_kind_display())
    if detail := _detail(step):
        text += f" ({detail})"
    if who := getattr(step, "by_name", None):
        text += " " + _("by %(who)s") % {"who": who}
    return Fact(step.at, text, order.email if step.kind == Kind.MAILED else "", TONES.get(step.kind, ""))


def _detail(step: OrderStep) -> str:
    return str(DETAILS.get(PREFIXES.get(step.kind, "") + step.detail, step.detail))


# --- what became of it ---------------------------------------------------------------------------------------------


def _answers(order: Order) -> Iterator[Answer]:
    steps = list(order.steps.all())
    bought = ", ".join(f"{line.quantity} × {line.name}" for line in order.lines.all())
    total = money(order.total, order.currency)
    placed = _("%(goods)s for %(total)s") % {"goods": bought, "total": total}
    yield Answer(_("What was ordered?"), placed, order.placed_at, order.email)
    at = next((step.at for step in reversed(steps) if step.kind == REACHED_BY[order.state]), None)
    tone: Tone = "bad" if order.state == State.CANCELLED else "good"
    yield Answer(_("Where does it stand?"), str(STANDS[order.state]), at, tone=tone)
    if order.state == State.CANCELLED:
        yield Answer(_("Why was it cancelled?"), _why(order, steps), tone="bad")
    if nobody := _never_payable(order, steps):
        yield Answer(_("Who was charged?"), nobody)
    if mails := [_detail(step) for step in steps if step.kind == Kind.MAILED]:
        yield Answer(_("Which mails did the customer get?"), ", ".join(mails), personal=order.email)
    yield from list(_awaited(order)) or _end(order)


def _why(order: Order, steps: Sequence[OrderStep]) -> str:
    said = [str(REASONS.get(order.cancel_reason, order.cancel_reason))]
    for line in order.lines.all():
        if line.free_pieces is not None:
            short = {"name": line.name, "free": line.free_pieces, "wanted": line.quantity}
            said.append(_("%(name)s: %(wanted)d wanted, %(free)d free.") % short)
    if declined := [_detail(step) for step in steps if step.kind == Kind.DECLINED]:
        tries = ngettext(
            "The payment provider refused %(count)d try to pay: %(codes)s.",
            "The payment provider refused %(count)d tries to pay: %(codes)s.",
            len(declined),
        )
        said.append(tries % {"count": len(declined), "codes": ", ".join(dict.fromkeys(declined))})
    if any(refund.reason == RefundReason.PAID_AFTER_CANCELLATION for refund in order.refunds.all()):
        said.append(_("A payment arrived after that; its refund was asked for."))
    return " ".join(said)


def _never_payable(order: Order, steps: Sequence[OrderStep]) -> str:
    """Return why nobody can have been charged; "" if there is a payment, which knows."""
    if not any(step.kind == Kind.RESERVED for step in steps):
        return _("Nobody: it was never open for payment.")
    return "" if order.total else _("Nobody: it cost nothing.")


def _awaited(order: Order) -> Iterator[Answer]:
    """Yield what must happen next, and who must do it."""
    question = _("What is awaited?")
    refunds = list(order.refunds.all())
    for refund in refunds:
        about = {"amount": money(refund.amount, refund.currency), "code": refund.code}
        if refund.state == Refund.State.REQUESTED:
            yield Answer(question, _("The refund of %(amount)s by the payment provider.") % about, tone="waits")
        elif refund.state == Refund.State.FAILED:
            text = _("Staff must decide: the refund of %(amount)s failed (%(code)s).") % about
            yield Answer(question, text, tone="bad")
    if order.needs_attention:
        yield Answer(question, _("A member of staff must look at it: see its page."), tone="bad")
    yield from _next_step(order, question)


def _end(order: Order) -> Iterator[Answer]:
    """Yield that nothing is awaited, unless money may still arrive."""
    if order.payment_status != PaymentStatus.IN_DOUBT:
        yield Answer(_("What is awaited?"), _("Nothing: the order has come to its end."))


def _next_step(order: Order, question: str) -> Iterator[Answer]:
    match order.state:
        case State.PLACED:
            yield Answer(question, _("The answer of the stock."), tone="waits")
        case State.AWAITING_PAYMENT if order.payment_status == PaymentStatus.IN_DOUBT:
            yield Answer(question, _("The payment provider’s answer whether it is paid."), tone="waits")
        case State.AWAITING_PAYMENT:
            wanted = _("The payment of %(total)s, until") % {"total": money(order.total, order.currency)}
            yield Answer(question, wanted, order.expires_at, tone="waits")
        case State.CLOSING:
            yield Answer(question, _("The payment provider’s last word whether it is paid."), tone="waits")
        case State.PAID:
            yield Answer(question, _("That staff send it."), tone="waits")
        case State.SHIPPED:
            yield Answer(question, _("That staff note its delivery."), tone="waits")
