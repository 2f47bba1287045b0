"""The journeys of thirty orders under faults tell what the provider's books, the mailbox and the tables tell."""

import random
from collections import Counter
from collections.abc import Iterator

from django.core import mail
from django.db import connection

from eventbus.journeys.journey import Journey, follow
from eventbus.models import Timer
from eventbus.testing.fault_injection import inject_faults
from mcommerce.money.template_filters import money
from mcommerce.orders.models import Order
from mcommerce.orders.services import subjects as of_orders
from mcommerce.payment.services import subjects as of_payments
from mcommerce.products.models import StockMovement
from mcommerce.products.services import subjects as of_products
from tests import event_history
from tests.event_history import Unhandled
from tests.journeys.machine.environment import PIECES, PRODUCTS, Floor, floor
from tests.journeys.machine.shopper_rules import CARDS, MISCHIEF, TROUBLES, ShopMachine

__all__ = ["floor"]  # a fixture

SEED = 1
DAYS, ORDERS_A_DAY = 3, 10
FINDERS = (of_orders.find, of_payments.find, of_products.find)
MORE = 3  # deliveries of goods in the morning: some orders get theirs, and some do not
PUBLISHED = "SELECT event_id FROM history_published WHERE key = %s ORDER BY place"
HANDLED = "SELECT team, event_id FROM history_handled WHERE key = %s AND replayed = 0"


class BusyDay(ShopMachine):
    """Ten orders, each with another fate; the journeys are compared at noon and in the evening."""

    def __init__(self, floor: Floor, seen: Counter[str]) -> None:
        super().__init__(floor)
        self.seen = seen

    def walk(self, chance: random.Random) -> None:
        with self.day:
            self.faults = self.day.enter_context(inject_faults(seed=chance.randrange(2**16), **MISCHIEF))
            for product in range(PRODUCTS):
                for _more in range(MORE):
                    self.count_stock(product=product, pieces=PIECES, came=True)
            for number in range(ORDERS_A_DAY):
                self._one(chance)
                if number == ORDERS_A_DAY // 2:
                    self.look()
            self.come_to_rest()

    def _one(self, chance: random.Random) -> None:
        if chance.random() < 0.5:
            self.trouble_ahead(trouble=chance.choice(TROUBLES))
        if chance.random() < 0.3:
            self.stand_still(things=chance.randint(1, 3))
        wanted = [(chance.randrange(PRODUCTS), chance.randint(1, PIECES))]
        order = self.order(wanted=wanted, clicks=chance.randint(1, 2))
        tries = [(chance.choice([*CARDS]), chance.random() < 0.7) for _try in range(chance.randint(0, 2))]
        if tries:
            self.go_and_pay(order=order, tries=tries)
        if chance.random() < 0.3:
            self.deliver_webhook(which=chance.randrange(3), times=2)
        if chance.random() < 0.5:
            self.see_to(order=order, what=chance.choice(["ship", "cancel by customer", "cancel by staff"]))
        self.let_time_pass(minutes=chance.choice([1, 11, 31]))

    def look(self, *, at_rest: bool = False) -> None:
        owed = event_history.unhandled()
        for order in Order.objects.all():
            found = follow(order.number, FINDERS)
            assert [*wrong(order, found), *wrong_expected(order, found, owed)] == []
            if at_rest:
                assert list(wrong_at_rest(order, found, self)) == []
                self.seen[order.state] += 1
                self.seen["refunded"] += order.refunds.exists()


def test_the_journeys_of_orders_are_true(floor: Floor) -> None:
    seen: Counter[str] = Counter()
    chance = random.Random(SEED)

    for _day in range(DAYS):
        BusyDay(floor, seen).walk(chance)

    orders = seen.total() - seen["refunded"]
    print(f"{orders} orders, {dict(seen)}, {floor.deeds} faults, {floor.trouble.met} troubles")
    assert orders == DAYS * ORDERS_A_DAY
    assert floor.deeds > orders
    assert min(seen[Order.State.CANCELLED], seen[Order.State.PAID], seen[Order.State.SHIPPED], seen["refunded"]) > 0


# --- compared with what the tests wrote down themselves, at any moment -----------------------------------------------


def wrong(order: Order, found: Journey) -> Iterator[str]:
    """The differences between a journey and the history that trigger and handlers wrote, and the stock's table."""
    key = str(order.id)
    published = [event_id for (event_id,) in _rows(PUBLISHED, key)]
    shown = [step.event_id.hex for step in found.steps]
    if shown != published:
        yield f"{order.number}: published {published}, shown {shown}"
    handled = set(_rows(HANDLED, key))
    told = {(one.group, step.event_id.hex) for step in found.steps for one in step.handlings if one.state == "handled"}
    if told != handled:
        yield f"{order.number}: handled {handled - told} is not shown, {told - handled} was not handled"
    movements = StockMovement.objects.filter(order_id=order.id).count()
    if movements != len([fact for fact in _facts(found) if fact.startswith("Stock of")]):
        yield f"{order.number}: {movements} movements of stock, and others are shown"


def wrong_expected(order: Order, found: Journey, unhandled: list[Unhandled]) -> Iterator[str]:
    """The differences between what a journey expects and what is unhandled. A missing hop is expected."""
    owed = {(one.team, one.event_id) for one in unhandled if one.key == str(order.id)}
    told = {
        (one.group, step.event_id.hex)
        for step in found.steps
        for one in step.handlings
        if one.state not in ("handled", "passed")
    }
    if owed != told:
        yield f"{order.number}: owed {owed}, shown {told}"
    timers = Counter(Timer.objects.filter(key=str(order.id)).values_list("type", flat=True))
    if timers != Counter(one.type for one in found.expected if not one.group):
        yield f"{order.number}: other timers than {timers}"


# --- compared with provider and mailbox, in the evening --------------------------------------------------------------


def wrong_at_rest(order: Order, found: Journey, day: ShopMachine) -> Iterator[str]:
    """The differences between a journey and what the payment provider charged and gave back, and the mailbox has."""
    charges = [charge for charge in day.company.charges() if charge["reference"] == str(order.id)]
    said = [answer.text for subject in found.subjects for answer in subject.answers]
    by_question = Counter(answer.question for subject in found.subjects for answer in subject.answers)
    charged = [text for text in said if text.startswith("The customer, ")]
    if len(charged) != len(charges) or not by_question["Who was charged?"]:
        yield f"{order.number}: charged {[dict(one) for one in charges]}, told {charged} {dict(by_question)}"
    for charge in charges:
        sums = [text for text in charged if money(charge["amount"], "EUR") in text and charge["id"] in text]
        back = [text for text in said if text.startswith(f"All of it: {money(charge['refunded'], 'EUR')}")]
        if len(sums) != 1 or len(back) != bool(charge["refunded"]):
            yield f"{order.number}: {dict(charge)}, told {said}"
    yield from _wrong_mails(order, found)


def _wrong_mails(order: Order, found: Journey) -> Iterator[str]:
    """Each mail is shown, or its handling says that nobody knows whether it was sent: a process died in between."""
    sent = [to for one in mail.outbox if order.number in one.subject for to in one.to]
    facts = [fact for subject in found.subjects for fact in subject.facts]
    shown = [fact.personal for fact in facts if fact.text.startswith("Mail sent")]
    handlings = [one for step in found.steps for one in step.handlings if one.group == "mail"]
    unknown = [one for one in handlings if one.effect == "unknown"]
    if {*sent, *shown} - {order.email} or not len(shown) <= len(sent) <= len(shown) + len(unknown):
        yield f"{order.number}: mails to {sent}, shown {shown}, mail {handlings}"


def _facts(found: Journey) -> list[str]:
    return [fact.text for subject in found.subjects for fact in subject.facts]


def _rows(question: str, key: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question, [key])
        return list(cursor.fetchall())
