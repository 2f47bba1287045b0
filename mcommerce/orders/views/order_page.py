"""An order as its page shows it: plain values and whole sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mcommerce import countries
from mcommerce.events import CancelReason
from mcommerce.money.template_filters import money
from mcommerce.orders.models import Order, OrderLine, OrderStep, Refund

Text = str | Promise
Kind, State, PaymentStatus = OrderStep.Kind, Order.State, Order.PaymentStatus

STATE_BADGES = {State.PAID: "good", State.SHIPPED: "good", State.DELIVERED: "good", State.CANCELLED: "bad"}
SENTENCES: dict[str, Text] = {
    State.PLACED: _("We have your order and are setting everything aside."),
    State.AWAITING_PAYMENT: _("Everything is set aside for you. Pay to make it yours."),
    State.CLOSING: _(
        "The time to pay is over. We are asking the payment provider whether you paid; until it answers, your things "
        "stay set aside."
    ),
    State.PAID: _("Paid, thank you! We are packing your things."),
    State.SHIPPED: _("Your order is on its way to you."),
    State.DELIVERED: _("Your order has arrived."),
    State.CANCELLED: _("This order is cancelled."),
}
IN_DOUBT: Text = _(
    "We are checking with the payment provider whether you paid. Please do not pay again: this page changes by itself."
)
REASONS: dict[str, Text] = {
    CancelReason.STOCK_REJECTED: _("Somebody was quicker: there is not enough left of what you ordered."),
    CancelReason.PAYMENT_TIMEOUT: _("It was not paid in time, so everything went back on the shelf."),
    CancelReason.CUSTOMER: _("You cancelled it."),
    CancelReason.STAFF: _("We cancelled it."),
    CancelReason.STOCK_LOST: _("We could not find your things in our stock any more. We are sorry."),
}
DECLINES: dict[str, Text] = {
    "card_declined": _("Your bank declined the card."),
    "insufficient_funds": _("There is not enough money on the card."),
    "expired_card": _("The card has expired."),
    "authentication_refused": _("The payment was not approved at your bank."),
    "session_expired": _("The payment page was open for too long."),
}
DECLINED: Text = _("The payment did not go through.")
REFUNDS: dict[str, Text] = {
    Refund.State.REQUESTED: _("Your money is on its way back to you: %(sum)s."),
    Refund.State.REFUNDED: _("Your money was sent back to you: %(sum)s."),
    Refund.State.FAILED: _("Sending your money back failed: %(sum)s. A person is looking into it."),
}
PROGRESS = (
    (
        pgettext_lazy("progress", "Order"),
        {State.PLACED, State.AWAITING_PAYMENT, State.CLOSING, State.PAID, State.SHIPPED, State.DELIVERED},
    ),
    (
        pgettext_lazy("progress", "Reservation"),
        {State.AWAITING_PAYMENT, State.CLOSING, State.PAID, State.SHIPPED, State.DELIVERED},
    ),
    (pgettext_lazy("progress", "Payment"), {State.PAID, State.SHIPPED, State.DELIVERED}),
    (pgettext_lazy("progress", "Dispatch"), {State.SHIPPED, State.DELIVERED}),
    (pgettext_lazy("progress", "Delivery"), {State.DELIVERED}),
)
# Nothing was or will be charged: it could never be paid, or the payment provider says so.
UNCHARGED = (CancelReason.STOCK_REJECTED, CancelReason.PAYMENT_TIMEOUT)
ENDS = (State.DELIVERED, State.CANCELLED)
GOOD_STEPS = {Kind.RESERVED, Kind.PAID, Kind.REFUNDED, Kind.SHIPPED, Kind.DELIVERED}
STAFF_STEPS = {Kind.LOOKED_AT}  # not for customers
BAD_STEPS = {Kind.DECLINED, Kind.CANCELLED, Kind.REFUND_FAILED}


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """A line of the timeline. `tone` is "good", "bad" or ""."""

    at: datetime
    text: Text
    more: Text
    tone: str


@dataclass(frozen=True, kw_only=True)
class OrderPage:
    """The content of the order page. Texts are in the reader's language."""

    order: Order
    lines: Sequence[OrderLine]
    timeline: Sequence[TimelineEntry]
    country: Text
    badge: str  # "good", "bad", "warn"
    sentence: Text
    reason: Text  # why it was cancelled, "" when it was not
    shortages: Sequence[Text]  # the lines that were short
    back_in_cart: bool  # some of the order's lines went back there
    left_out: Sequence[Text]  # what the cart had no room for
    rest: bool  # some of these lines were not sold out
    nothing_charged: bool  # True only if that is certain
    decline: Text  # why the last try to pay failed, "" when it did not
    refunds: Sequence[Text]
    refund_failed: bool
    progress: Sequence[tuple[Text, str]]  # word, and "done", "current", "failed" or ""
    payable: bool
    tried_out: bool  # it waits for its money, and there is no further try
    cancellable: bool
    seconds_left: int | None  # until the deadline, while it is open
    changing: bool  # a change is under way: the page asks again
    final: bool  # no further change is expected


def page_of(order: Order, *, now: datetime) -> OrderPage:
    """Return everything that the order page shows at `now`."""
    steps = [step for step in order.steps.all() if step.kind not in STAFF_STEPS]
    refunds = list(order.refunds.all())
    lines = list(order.lines.all())
    refunding = any(refund.state == Refund.State.REQUESTED for refund in refunds)
    cancellable = order.state in (State.PLACED, State.AWAITING_PAYMENT)
    unpaid = cancellable or order.state == State.CLOSING
    in_doubt = order.state == State.AWAITING_PAYMENT and order.payment_status == PaymentStatus.IN_DOUBT
    return OrderPage(
        order=order,
        lines=lines,
        timeline=[_timeline_entry(step) for step in steps],
        country=countries.name_of(order.country),
        badge=STATE_BADGES.get(State(order.state), "warn"),
        sentence=IN_DOUBT if in_doubt else _sentence(order),
        reason=REASONS.get(order.cancel_reason, ""),
        shortages=[_shortage(line) for line in lines if line.free_pieces is not None],
        back_in_cart=any(line.given_back for line in lines),
        left_out=[_left_out(line) for line in lines if line.given_back is not None and line.given_back < line.quantity],
        rest=any(line.given_back and line.free_pieces != 0 for line in lines),
        nothing_charged=order.cancel_reason in UNCHARGED and not refunds,
        decline=_decline(order, steps),
        refunds=[REFUNDS[refund.state] % {"sum": money(refund.amount, refund.currency)} for refund in refunds],
        refund_failed=any(refund.state == Refund.State.FAILED for refund in refunds),
        progress=_progress(order),
        # A refund means that money came and did not fit: staff have to look before anybody pays again.
        payable=_payable(order, now) and not refunds,
        tried_out=_tried_out(order, now),
        cancellable=cancellable,
        seconds_left=max(0, int((order.expires_at - now).total_seconds())) if cancellable else None,
        changing=unpaid or refunding,
        final=order.state in ENDS and not refunding,
    )


def _payable(order: Order, now: datetime) -> bool:
    """Return whether the Pay button leads to a page where one can pay."""
    is_open = order.payment_status == PaymentStatus.OPEN
    return order.state == State.AWAITING_PAYMENT and is_open and order.expires_at > now


def _tried_out(order: Order, now: datetime) -> bool:
    """Return whether the customer has no further try to pay. After the deadline the order is overdue instead."""
    tried_out = order.payment_status == PaymentStatus.TRIED_OUT
    return order.state == State.AWAITING_PAYMENT and tried_out and order.expires_at > now


def _sentence(order: Order) -> Text:
    if order.state == State.PAID and not order.total:
        return _("There is nothing to pay, thank you! We are packing your things.")
    return SENTENCES[order.state]


def _shortage(line: OrderLine) -> Text:
    if not line.free_pieces:
        return _("%(name)s: none is left.") % {"name": line.name}
    short = {"name": line.name, "left": line.free_pieces, "wanted": line.quantity}
    return _("%(name)s: only %(left)d left of the %(wanted)d you wanted.") % short


def _left_out(line: OrderLine) -> Text:
    missing = {"name": line.name, "missing": line.quantity - (line.given_back or 0), "wanted": line.quantity}
    return _("%(name)s: %(missing)d of %(wanted)d did not fit into the cart.") % missing


def _timeline_entry(step: OrderStep) -> TimelineEntry:
    more: Text = ""
    if step.kind == Kind.CANCELLED:
        more = REASONS.get(step.detail, "")
    elif step.kind == Kind.DECLINED:
        more = DECLINES.get(step.detail, "")
    tone = "good" if step.kind in GOOD_STEPS else "bad" if step.kind in BAD_STEPS else ""
    return TimelineEntry(at=step.at, text=Kind(step.kind).label, more=more, tone=tone)


def _decline(order: Order, steps: Sequence[OrderStep]) -> Text:
    """Return the decline of the very last step: any later step supersedes it."""
    if order.state != State.AWAITING_PAYMENT or not steps or steps[-1].kind != Kind.DECLINED:
        return ""
    return DECLINES.get(steps[-1].detail, DECLINED)


def _progress(order: Order) -> list[tuple[Text, str]]:
    if order.state == State.CANCELLED:
        return [(PROGRESS[0][0], "done"), (_("Cancelled"), "failed")]
    done = [order.state in states for _word, states in PROGRESS]
    here = done.index(False) if False in done else len(done)
    marks = ["done" if place < here else "current" if place == here else "" for place in range(len(done))]
    return [(word, mark) for (word, _states), mark in zip(PROGRESS, marks, strict=True)]
