"""Differences between the payment provider and the payments: the provider's charges and refunds, and our ledger.

An order with events that are not handled yet is skipped. An order that is not in our tables gets no events, so it is
never skipped.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from mcommerce.orders.services import reconciliation as orders
from mcommerce.orders.services.reconciliation import OrderStatement
from mcommerce.payment.providers.base import Charge
from mcommerce.payment.services import provider_answers, repairs
from mcommerce.payment.services import reconciliation as payments
from mcommerce.payment.services.reconciliation import PaymentStatement, SessionStatement
from mcommerce.reconcile.difference import PERSON, Difference, money


class ChargeComparison:
    """A comparison of each charge at the provider with our ledger. `charges` then holds the ids of all charges."""

    def __init__(self, provider: str, *, under_way: set[str], now: datetime) -> None:
        self.provider, self.now = provider, now
        self.charges: set[str] = set()
        self._holding: Counter[str] = Counter()  # by order: charges that the provider has not refunded in full
        self._given: list[tuple[Charge, PaymentStatement, OrderStatement | None]] = []
        self._under_way = under_way

    def differences(self) -> Iterator[Difference]:
        """Yield the differences. Raises ProviderError if the provider does not answer."""
        for page in payments.charges(self.provider):
            self.charges |= {charge.ref for charge in page}
            self._holding.update(charge.order_id for charge in page if charge.refunded < charge.amount)
            sessions = payments.of_sessions(self.provider, [charge.session_ref for charge in page])
            named = [order_id for charge in page if (order_id := _order_id(charge))]
            of_orders, there = payments.of_orders(named), orders.of(named)
            for charge in page:
                order_id, session = _order_id(charge), sessions.get(charge.session_ref)
                order = there.get(order_id) if order_id else None
                if order is not None and charge.order_id in self._under_way:
                    continue
                if session is not None:
                    yield from self._of_session(charge, session, order)
                elif order_id in of_orders:
                    yield from self._unknown_session(charge, of_orders[order_id])
                elif order is None and charge.refunded < charge.amount:
                    yield self._without_order(charge)
                elif order is not None and order.is_over and charge.refunded < charge.amount:
                    yield self._without_payment(charge, order)
        for charge, payment, order in self._given:
            yield from self._given_back(charge, payment, order)

    def _of_session(
        self, charge: Charge, session: SessionStatement, order: OrderStatement | None
    ) -> Iterator[Difference]:
        payment = session.payment
        if session.captured is None and not session.is_open:
            what = f"{_sum(charge)} were charged in a session that is over by our books"
            yield from self._marked("charge-in-closed-session", charge, payment, what)
        elif session.captured is None:
            yield Difference(
                name="charge-not-taken-in",
                what=f"the payment provider charged {_sum(charge)}, and the payment does not know",
                remedy="take it in",
                repair=partial(repairs.take_in, provider=self.provider, session_ref=charge.session_ref, now=self.now),
                **_about(charge, payment),
            )
        elif payment.charge_ref == charge.ref:
            if charge.amount != session.captured:
                ours = money(session.captured, payment.currency)
                yield from self._marked(
                    "charge-differs", charge, payment, f"charged {_sum(charge)}, {ours} in our books"
                )
            elif charge.refunded < payment.given_back:
                less = money(payment.given_back - charge.refunded, charge.currency)
                yield from self._marked("refund-not-at-provider", charge, payment, f"{less} of refunds are ours alone")
            elif charge.refunded > payment.given_back:
                self._given.append((charge, payment, order))
        elif (paid_by := payments.charge_of(payment)) is not None:
            yield from self._charged_twice(charge, payment, paid_by)

    def _charged_twice(self, charge: Charge, payment: PaymentStatement, paid_by: Charge) -> Iterator[Difference]:
        """Yield a second charge for a payment that is already paid, unless it is refunded and no alarm is about it."""
        left = charge.amount - charge.refunded
        if paid_by.refunded > payment.given_back:
            if left:
                yield from self._marked("charged-twice", charge, payment, repairs.which_stays(charge.ref, paid_by.ref))
        elif left or payment.alarm == provider_answers.charged_twice(charge.ref):
            repair = partial(
                repairs.give_back_second, provider=self.provider, charge=charge, payment_id=payment.id, now=self.now
            )
            yield Difference(
                name="charged-twice",
                what=f"{_sum(charge)} were charged for what {payment.charge_ref} has paid",
                remedy=f"send {money(left, charge.currency)} back",
                repair=repair,
                **_about(charge, payment),
            )

    def _given_back(
        self, charge: Charge, payment: PaymentStatement, order: OrderStatement | None
    ) -> Iterator[Difference]:
        """Yield a charge of which the provider refunded more than we know."""
        if order is None or any(one.requested for one in order.refunds.values()):
            return  # reported for the payment itself, or just requested
        if charge.refunded == charge.amount and self._holding[charge.order_id]:
            return  # reported for the other charge, which pays the order now
        more = money(charge.refunded - payment.given_back, charge.currency)
        what = f"the payment provider gave {more} back, and the order does not know"
        whole = charge.refunded == charge.amount and payment.given_back == 0
        if whole and order.was_paid and not order.refunds:
            yield Difference(
                name="refund-unknown",
                what=what,
                remedy="cancel the order" if order.is_paid else "note the refund",
                repair=partial(orders.end_without_money, order_id=order.id, now=self.now),
                **_about(charge, payment),
            )
        else:
            yield from self._marked("refund-unknown", charge, payment, what)

    def _unknown_session(self, charge: Charge, payment: PaymentStatement) -> Iterator[Difference]:
        if (paid_by := payments.charge_of(payment)) is not None:
            yield from self._charged_twice(charge, payment, paid_by)
            return
        yield Difference(
            name="charge-in-unknown-session",
            what=f"the payment provider charged {_sum(charge)} in a session that the payment does not know",
            remedy="take it in",
            repair=partial(repairs.adopt, provider=self.provider, charge=charge, payment_id=payment.id, now=self.now),
            **_about(charge, payment),
        )

    def _without_order(self, charge: Charge) -> Difference:
        left = money(charge.amount - charge.refunded, charge.currency)
        order_id, when = _order_id(charge), f"{charge.charged_at:%Y-%m-%d %H:%M} UTC"
        if order_id is None:
            return Difference(
                name="charge-of-another-system",
                what=f"{_sum(charge)} were charged on {when} for what is no order of this site",
                remedy="find out whose it is: the account must be this site's alone",
                repair=None,
                charge=charge.ref,
            )
        return Difference(
            name="charge-without-order",
            what=f"{_sum(charge)} were charged on {when} for an order that is not here",
            remedy=f"send {left} back",
            repair=partial(repairs.give_back, provider=self.provider, charge=charge),
            order_id=order_id,
            charge=charge.ref,
        )

    def _without_payment(self, charge: Charge, order: OrderStatement) -> Difference:
        """Return the difference of an order that was cancelled before it awaited payment, as far as is known here."""
        about: dict[str, Any] = {"order_id": order.id, "order_number": order.number, "charge": charge.ref}
        what = f"{_sum(charge)} were charged for a cancelled order that has no payment"
        if charge.refunded:  # in part: no refund of an order is for the rest alone
            left = money(charge.amount - charge.refunded, charge.currency)
            repair = partial(repairs.give_back, provider=self.provider, charge=charge)
            remedy = f"send the other {left} back"
        else:
            take_in = partial(repairs.open_and_adopt, provider=self.provider, charge=charge, now=self.now)
            repair = partial(take_in, order_id=order.id, order_number=order.number)
            remedy = "take it in, so that it goes back"
        return Difference(name="charge-without-payment", what=what, remedy=remedy, repair=repair, **about)

    def _marked(self, name: str, charge: Charge, payment: PaymentStatement, what: str) -> Iterator[Difference]:
        """Yield a difference that staff must solve, unless it is the payment's alarm already."""
        why = f"{name}: {what}"
        if payment.alarm != repairs.alarm(why):
            mark = partial(repairs.mark, payment_id=payment.id, why=why)
            yield Difference(name=name, what=what, remedy=PERSON, repair=mark, **_about(charge, payment))


def _about(charge: Charge, payment: PaymentStatement) -> dict[str, Any]:
    return {
        "order_id": payment.order_id,
        "order_number": payment.order_number,
        "payment_id": payment.id,
        "charge": charge.ref,
    }


def _sum(charge: Charge) -> str:
    return money(charge.amount, charge.currency)


def _order_id(charge: Charge) -> UUID | None:
    """Return the order that a charge names; None where that is no id of an order."""
    try:
        return UUID(charge.order_id)
    except ValueError:
        return None
