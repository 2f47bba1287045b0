"""How a day ended, as lines that are the same wherever the same happened: ids have names, and times are left out."""

from collections import defaultdict
from collections.abc import Iterator

from django.core import mail
from django.db import connection

from eventbus.audit import delivery_audit
from eventbus.models import DeadLetter, Effect, ParkedKey, Timer
from mcommerce.orders.models import Offer, Order
from mcommerce.orders.models import Refund as AskedRefund
from mcommerce.payment.models import LedgerEntry, Payment, Refund, WebhookReceipt
from mcommerce.products.models import Product, Reservation, Stock
from tests.journeys.machine.provider import Company


def ending(company: Company) -> list[str]:
    """Of the whole shop, its payment provider and the bus."""
    names = _names()
    said = [*_orders(), *_money(company), *_stock(names), *_mails(names), *_bus(names), *_heard(names)]
    return [_renamed(line, names) for line in said]


def _names() -> dict[str, str]:
    """What there is by the order in which it came to be: its id, or its number, and what to call it."""
    names = {str(product.id): product.sku for product in Product.objects.all()}
    for place, order in enumerate(Order.objects.order_by("id"), start=1):
        name = names[str(order.id)] = names[order.number] = f"order{place}"
        for refund in AskedRefund.objects.filter(order=order):
            names[str(refund.id)] = f"{name}'s refund"
        for payment in Payment.objects.filter(order_id=order.id):
            names[str(payment.id)] = f"{name}'s payment"
            for number, attempt in enumerate(payment.attempts.order_by("id"), start=1):
                names[str(attempt.id)] = f"{name}'s attempt{number}"
    return names


def _renamed(line: str, names: dict[str, str]) -> str:
    for found, name in names.items():
        line = line.replace(found, name)
    return line


def _orders() -> Iterator[str]:
    for order in Order.objects.order_by("id"):
        yield f"{order.id} {order.state} {order.cancel_reason} {order.total} {order.tax} {order.needs_attention}"
        for line in order.lines.order_by("product_id"):
            yield f"{order.id} wants {line.quantity} {line.product_id} for {line.total}"
        yield f"{order.id} went {' '.join(sorted(map(str, order.steps.all())))}"
        for refund in order.refunds.all():
            yield f"{order.id} gets back {refund.amount} {refund.reason} {refund.state} {refund.code}"


def _money(company: Company) -> Iterator[str]:
    for payment in Payment.objects.order_by("order_id"):
        yield f"{payment.id} {payment.status} {payment.amount} {payment.captured} {payment.refunded} {payment.alarm}"
        for attempt in payment.attempts.order_by("id"):
            yield f"{attempt.id} {attempt.outcome} {attempt.code} {attempt.last4} revision {attempt.revision}"
    for refund in Refund.objects.order_by("id"):
        yield f"{refund.id} {refund.status} {refund.amount} {refund.reason} {refund.code}"
    for entry in LedgerEntry.objects.order_by("kind", "reference"):
        yield f"book: {entry.kind} {entry.reference} {entry.debit} to {entry.credit} {entry.amount}"
    for charge in sorted(company.charges(), key=lambda charge: str(charge["reference"])):
        yield f"company: charged {charge['reference']} {charge['amount']}, gave back {charge['refunded']}"
    yield f"webhooks taken in: {WebhookReceipt.objects.count()}"


def _stock(names: dict[str, str]) -> Iterator[str]:
    for stock in Stock.objects.order_by("product__sku"):
        yield f"{stock.product_id} {stock.on_hand} on hand, {stock.held} held, {stock.sold} sold"
    for offer in Offer.objects.order_by("sku"):
        yield f"{offer.product_id} is offered, {offer.available} free"
    for reservation in Reservation.objects.order_by("order_id"):
        lines = sorted(f"{line.quantity} {names[str(line.product_id)]}" for line in reservation.lines.all())
        yield f"{reservation.order_id} {reservation.status} {' '.join(lines)}"


def _mails(names: dict[str, str]) -> list[str]:
    return sorted(_renamed(f"mail: {one.subject} to {one.to}", names) for one in mail.outbox)


def _bus(names: dict[str, str]) -> Iterator[str]:
    for letter in DeadLetter.objects.order_by("group", "topic", "key", "type"):
        yield f"dead: {letter.group} {letter.type} {letter.key} {letter.state} {letter.error_class}"
    for key in ParkedKey.objects.order_by("group", "topic", "key"):
        yield f"parked: {key.group} {key.topic} {key.key} {key.state}"
    doubtful = Effect.objects.exclude(state=Effect.State.DONE).order_by("group", "event_id")
    yield f"to come: {Timer.objects.count()} timers, {doubtful.count()} effects"
    books = delivery_audit.read()
    for account in books.accounts:
        yield f"bus: {account}"
    yield from (f"bus: {problem}" for problem in delivery_audit.problems(books))


def _heard(names: dict[str, str]) -> Iterator[str]:
    """For each key of each topic: the types that were told, and those that each group handled, in order."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    places: dict[str, str] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id, topic, key, kind FROM history_published ORDER BY place")
        for event_id, topic, key, kind in cursor.fetchall():
            place = places[event_id] = f"{topic} {_renamed(key, names)}"
            told[place].append(kind)
        cursor.execute("SELECT team, kind, event_id FROM history_handled WHERE replayed = 0 ORDER BY place")
        for team, kind, event_id in cursor.fetchall():
            told[f"{places[event_id]} to {team}"].append(kind)
    yield from (f"told: {place}: {' '.join(types)}" for place, types in sorted(told.items()))


def differences(one: list[str], other: list[str]) -> Iterator[str]:
    """The lines that only one of them has: "-" the first, "+" the second."""
    yield from (f"- {line}" for line in one if line not in other)
    yield from (f"+ {line}" for line in other if line not in one)
