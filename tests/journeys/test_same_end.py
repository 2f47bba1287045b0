"""What happened in the shop decides how it ends, not which bus told of it: in memory or over Apache Kafka (I6).

RANDOM_SEED chooses the days, RANDOM_DAYS how many. A backend with a fault planted must be found out. A day is a trace:
drawn once and written down, so that it can be played on one bus and on another. What a step does is a rule of the
machine, and what is drawn for it comes from that rule. An order or a page that a step names is the one that lies so far
back; where there is none yet, nothing happens.
"""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import count
from typing import Any, NamedTuple
from uuid import uuid4

import hypothesis
import pytest
from django.core import mail
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, Rule

from eventbus import backends, registry, testing
from eventbus.audit import delivery_audit
from eventbus.backends.base import Consumer, TopicPartition
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import DeadLetter, Effect, ParkedKey, Progress, Timer
from eventbus.progress import group_starts
from eventbus.repairs import restore_repair
from eventbus.testing import settle
from mcommerce.orders.models import Offer, Order
from mcommerce.orders.models import Refund as AskedRefund
from mcommerce.payment.models import LedgerEntry, Payment, Refund, WebhookReceipt
from mcommerce.products.models import Product, Reservation, Stock
from tests.journeys.machine.environment import GROUPS, PARTITIONS, Floor, laid, undone
from tests.journeys.machine.operator_rules import OperatedMachine
from tests.journeys.machine.provider import Company
from tests.journeys.machine.shopper_rules import TROUBLES

pytestmark = pytest.mark.days

SEED = int(os.environ.get("RANDOM_SEED", "1"))
DAYS = 20  # `make traces` plays a hundred
DAYS_UNTIL_FOUND = 5  # a planted fault shows itself within a few
FORGOTTEN_DAYS_MAX = 10  # every third day is an operator's, on half of those the database is restored
RECORDS_BETWEEN_FAULTS = 10  # at one reader; a day's busiest one has some thirty
IN_MEMORY = {"BACKEND": "eventbus.backends.memory.MemoryBackend", "OPTIONS": {"partitions": PARTITIONS}}
# What people come to on some of these days: without it, that the ends are the same would say little.
SEEN = (
    *("paid", "shipped", "cancelled stock_rejected", "cancelled payment_timeout", "cancelled customer"),
    *("cancelled staff", "gets back", "declined", "expired", "reserved", "committed", "released"),
)
STEPS = 6  # of a day after its first order: enough for the whole story of that one
BACK_MAX = 3  # so many orders or pages before the last one are still thought of
RULES: dict[str, Rule] = {rule.function.__name__: rule for rule in OperatedMachine.setup_state().rules}
# What operators meet and do on top of that, one of these on every third day.
OPERATED_EVERY = 3
OPERATED = (("go_wrong", "operate"), ("keep",))
# The bus's own troubles are met where a backend happens to be: they would be another trace on each.
INSTEAD = {"trouble": st.sampled_from([trouble for trouble in TROUBLES if trouble[0] == "company"])}
# Else on half of the days nobody pays, and each reader finds but one record at a time.
OFTEN = {"order": 2, "go_and_pay": 5, "see_to": 2, "stand_still": 4}
DRAWN_MAX = 100  # for a rule that could be given ever more


# --- days that can be played again ------------------------------------------------------------------------------------


class Step(NamedTuple):
    """Something that happens: which rule, and what was drawn for it."""

    rule: str
    drawn: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.rule}({', '.join(f'{name}={value!r}' for name, value in self.drawn.items())})"


Trace = list[Step]


def draw(days: int, *, seed: int) -> list[Trace]:
    """So many, the same ones for the same seed. Each begins with an order for the first product."""
    chance = random.Random(seed)
    names = [name for name in RULES if not any(name in some for some in OPERATED)]
    weights = [OFTEN.get(name, 1) for name in names]
    drawn = {name: _drawn(rule, seed) for name, rule in RULES.items()}
    first = Step("order", {"wanted": [(0, 1)], "clicks": 1})
    traces = [
        [first, *(Step(name, chance.choice(drawn[name])) for name in chance.choices(names, weights, k=STEPS))]
        for _ in range(days)
    ]
    drawn["keep"] = [{"back": True}]
    for trace in traces[::OPERATED_EVERY]:
        doing = chance.choice(OPERATED)
        places = sorted(chance.choices(range(1, len(trace) + 1), k=len(doing)))
        for more, (place, name) in enumerate(zip(places, doing, strict=True)):
            trace.insert(place + more, Step(name, chance.choice(drawn[name])))
    return traces


def _drawn(rule: Rule, seed: int) -> list[dict[str, Any]]:
    """What may be drawn for it: all of it where that is little."""
    found: list[dict[str, Any]] = []
    chosen = hypothesis.settings(
        max_examples=DRAWN_MAX,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    back = st.integers(0, BACK_MAX)
    strategies = {
        argument: back if isinstance(strategy, Bundle) else INSTEAD.get(argument, strategy)
        for argument, strategy in rule.arguments.items()
    }
    keep = hypothesis.given(st.fixed_dictionaries(strategies))(lambda given: found.append(given))
    hypothesis.seed(seed)(chosen(keep))()
    return found


class Player(OperatedMachine):
    """Does what a trace says and asks no questions: what counts is how it ends."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor)
        self._there: defaultdict[str, list[Any]] = defaultdict(list)  # orders and pages, by their bundle's name
        self._all_heard = True

    def play(self, trace: Trace) -> None:
        """All of it, and then until nothing is to come."""
        for step in trace:
            self._take(step)
        self.unheard = 0
        self.wait_for_the_end()

    def _take(self, step: Step) -> None:
        rule = RULES[step.rule]
        given = dict(step.drawn)
        for argument, strategy in rule.arguments.items():
            if isinstance(strategy, Bundle):
                there = self._there[strategy.name]
                if not there:
                    return
                given[argument] = there[-1 - given[argument] % len(there)]
        result = rule.function(self, **given)
        for name in rule.targets:
            self._there[name] += result.values if isinstance(result, MultipleResults) else [result]

    def let_time_pass(self, minutes: int) -> None:
        """Only once all has been heard: whether a payment comes before its deadline is no race then."""
        if not self._all_heard:
            settle(raise_errors=False)
        super().let_time_pass(minutes)

    def happened(self) -> None:
        self._all_heard = not self.unheard
        super().happened()

    def look(self, *, at_rest: bool = False) -> None:
        """Not now."""


# --- the bus over Kafka for many short days ---------------------------------------------------------------------------


Spoil = Callable[[Consumer], None]


class StayingBackend(KafkaBackend):
    """Keeps its clients from day to day, and asks but once about what nobody else changes."""

    def __init__(self, servers: str, spoil: Spoil) -> None:
        super().__init__(servers=servers, prefix=f"{uuid4().hex[:8]}.", partitions=PARTITIONS)
        self._spoil = spoil
        self._staying: dict[str, Consumer] = {}
        self._logs: dict[str, str] = {}
        self._begins: dict[TopicPartition, int] = {}

    def consumer(self, topics: Iterable[str], group: str | None = None) -> Consumer:
        assert group is not None, "nobody watches here"
        if group not in self._staying:
            reader = self._staying[group] = super().consumer(topics, group)
            reader.close = reader.unseek  # it stays in its group: who comes next is given it
            self._spoil(reader)
        return self._staying[group]

    def generations(self, topics: Iterable[str]) -> dict[str, str]:
        new = set(topics) - self._logs.keys()
        self._logs |= super().generations(new) if new else {}
        return self._logs

    def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        new = [partition for partition in partitions if partition not in self._begins]
        self._begins |= super().ends(new) if new else {}
        return {one: self._given.get(one.topic, {}).get(one.partition, self._begins[one]) for one in partitions}

    def reset(self) -> None:
        """What it remembers stays true."""

    def close(self) -> None:
        for reader in self._staying.values():
            del reader.close
        super().close()
        super().reset()


@contextmanager
def bus_on_kafka(servers: str, spoil: Spoil) -> Iterator[None]:
    """The bus of this process while it lasts."""
    backend = StayingBackend(servers, spoil)
    backend.provision({topic for name in GROUPS for topic in registry.groups[name].topics})
    before = backends.current()
    backends.use(backend)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(restore_repair, "LEASE_SECONDS", 0.0)  # no other relay is told to end first: there is none
            yield
    finally:
        testing.forget()
        backend.close()
        backends.use(before)


def begin_where_the_log_ends() -> None:
    """The shop's groups; where they were, was said of another log."""
    Progress.objects.all().delete()
    group_starts.ensure(backends.current(), [registry.groups[name] for name in GROUPS])


def pass_over_what_was_undone() -> None:
    """What the log holds was told on other days. In memory they took it with them."""
    backend = backends.current()
    if not backend.in_process:
        for row in Progress.objects.all():
            Progress.objects.filter(id=row.pk).update(offset=backend.end(TopicPartition(row.topic, row.partition)))


# --- how a day ended, as lines: ids have names, and times are left out ------------------------------------------------


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


# --- played on both ---------------------------------------------------------------------------------------------------


def endings(traces: list[Trace], typed: Counter[str] | None = None) -> Iterator[list[str]]:
    """How each day ends, on the bus of this process. What operators did is counted in `typed`."""
    with undone():
        begin_where_the_log_ends()
        with laid() as floor:
            floor.typed = Counter() if typed is None else typed
            for trace in traces:
                random.seed(0)  # for how long a retry waits
                player = Player(floor)
                with player.day:
                    pass_over_what_was_undone()
                    player.play(trace)
                    end = ending(floor.company)
                yield end


def in_memory(traces: list[Trace]) -> list[list[str]]:
    """How they end there."""
    with override_settings(EVENTBUS=IN_MEMORY):
        return list(endings(traces))


def play_over_kafka(
    traces: list[Trace], ended: list[list[str]], kafka: str, spoil: Spoil = lambda reader: None
) -> Counter[str]:
    """Fails at the first one that ends otherwise than it `ended`, with what happened. What operators did, counted."""
    typed: Counter[str] = Counter()
    played = closing(endings(traces, typed))
    with override_settings(EVENTBUS=IN_MEMORY), bus_on_kafka(kafka, spoil), played as over_kafka:
        for trace, one, other in zip(traces, ended, over_kafka, strict=True):
            lines = ["It ended in memory (-) and over Kafka (+):", *differences(one, other), "What happened:"]
            assert one == other, "\n".join([*lines, *map(str, trace)])
    return typed


def test_random_days_end_the_same_in_memory_and_over_kafka(db: None, kafka: str) -> None:
    days = int(os.environ.get("RANDOM_DAYS", DAYS))
    print(f"{days} days. The same again: RANDOM_SEED={SEED} RANDOM_DAYS={days} make traces")
    traces = draw(days, seed=SEED)
    ended = in_memory(traces)

    typed = play_over_kafka(traces, ended, kafka)

    assert len(ended) == days
    assert typed["forgotten"] >= days // FORGOTTEN_DAYS_MAX, typed  # the log was ahead of a restored database
    said = "\n".join(line for lines in ended for line in lines)
    assert [what for what in SEEN if what not in said] == []


# --- planted faults ------------------------------------------------------------------------------------------------


def forgetful(reader: Consumer) -> None:
    """It loses a record now and then."""
    fetch, fetched = reader.fetch, count(1)
    reader.fetch = lambda most: [one for one in fetch(most) if next(fetched) % RECORDS_BETWEEN_FAULTS]


def test_a_reader_of_kafka_with_a_fault_is_found_out(db: None, kafka: str) -> None:
    traces = draw(DAYS_UNTIL_FOUND, seed=SEED)
    ended = in_memory(traces)

    with pytest.raises(AssertionError, match="It ended in memory"):
        play_over_kafka(traces, ended, kafka, forgetful)
