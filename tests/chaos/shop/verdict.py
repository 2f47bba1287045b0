"""The shop's part of the verdict: what shoppers were told, the shop's tables, and the payment provider's own books."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.client_records import Violation, read_told
from tests.chaos.shop.roles import SHOPPERS
from tests.letterbox import letters

ORDERED = "an acknowledged order is kept"
ENDED = "every order comes to its right end"
STOCK = "nothing is oversold, and every piece is somewhere"
CHARGED = "an order is charged once"
RETURNED = "money that must go back goes back once"
BOOKS = "the shop's books balance"
MAILS = "one mail of each kind"
STATIONS = "a station's changes are told once and written"
TAKEN = "checkout is accepted while the broker is away"
PROMISES = (ORDERED, ENDED, STOCK, CHARGED, RETURNED, BOOKS, MAILS, STATIONS, TAKEN)
ENDS = ("paid", "cancelled")

# Of those that fire within a run: an hour later somebody looks whether an overdue order's payment is closed.
TIMERS = "SELECT count(*) FROM eventbus_timer WHERE due < now() + interval '30 minutes'"
Rows = Callable[..., list[tuple[Any, ...]]]


class Order(NamedTuple):
    number: str
    state: str
    total: int  # minor units
    attention: bool
    was_paid: bool


class Charge(NamedTuple):
    """As the company has it, in minor units."""

    amount: int
    refunded: int
    refunds: int


class Books:
    """What the payment provider has of each order."""

    def __init__(self, file: Path) -> None:
        self.charges: defaultdict[str, list[Charge]] = defaultdict(list)
        question = """SELECT reference, amount, refunded, (SELECT count(*) FROM refund WHERE charge = charge.id)
            FROM charge"""
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as books:
            for order, *charge in books.execute(question):
                self.charges[order].append(Charge(*charge))


class Verdict:
    """Looks at a shop that has come to rest. `rows` asks its database."""

    def __init__(self, rows: Rows, folder: Path) -> None:
        self._rows, self._folder = rows, folder
        self.orders = {str(order): Order(*rest) for order, *rest in rows(_ORDERS)}
        self._books = Books(folder / "var" / "sandbox-provider.sqlite3")

    def violations(self) -> Iterator[Violation]:
        yield from self._told()
        for order in self.orders:
            yield from self._one(order)
        for order in self._books.charges.keys() - self.orders.keys():
            yield Violation(CHARGED, f"charged for an order that never was: {order}")
        yield from self._stock()
        yield from self._money()
        yield from self._mails()
        yield from self._stations()

    def _told(self) -> Iterator[Violation]:
        """What somebody was told is so."""
        told = {what: read_told([self._folder / SHOPPERS], what) for what in ("ordered", "charged", *ENDS)}
        for order in sorted(told["ordered"] - self.orders.keys()):
            yield Violation(ORDERED, f"acknowledged and not in the database: {order}")
        for end in ENDS:
            for order in sorted(told[end]):
                if order in self.orders and self.orders[order].state != end:
                    yield Violation(ORDERED, f"told to be {end}, and is {self.orders[order].state}: {order}")
        for order in sorted(told["charged"] - self._books.charges.keys()):
            yield Violation(CHARGED, f"told to be charged, and the company does not know: {order}")

    def _one(self, name: str) -> Iterator[Violation]:
        order, charges = self.orders[name], self._books.charges[name]
        if order.state not in ENDS or order.attention:
            yield Violation(ENDED, f"{order.state}{' and needs a person' * order.attention}: {name}")
        if len(charges) > 1 or any(charge.amount != order.total for charge in charges):
            yield Violation(CHARGED, f"{[charge.amount for charge in charges]} of {order.total}: {name}")
        if order.state == "paid" and not charges:
            yield Violation(CHARGED, f"paid, and the company took nothing: {name}")
        due = order.total if order.state == "cancelled" else 0
        for charge in charges:
            if charge.refunded != due or charge.refunds > 1:
                yield Violation(RETURNED, f"{charge.refunded} of {due} in {charge.refunds} parts: {name}")

    def _stock(self) -> Iterator[Violation]:
        for sku, received, on_hand, held, sold, lost, wanted in self._rows(_STOCK):
            if received != on_hand + sold + lost or on_hand < 0:
                yield Violation(STOCK, f"{received} of {sku} came, {on_hand} there, {sold} sold, {lost} lost")
            if held:
                yield Violation(STOCK, f"{held} of {sku} held for nobody")
            if sold != wanted:
                yield Violation(STOCK, f"{sold} of {sku} sold, and {wanted} paid for")
        for (order,) in self._rows("SELECT order_id FROM products_reservation WHERE status = 'held'"):
            yield Violation(STOCK, f"goods set aside for ever: {order}")
        for (order,) in self._rows(_NOT_PUT_BACK):
            yield Violation(STOCK, f"cancelled, and its goods are not back on the shelf: {order}")
        for sku, moved, sold in self._rows(_MOVED):
            if moved != sold:
                yield Violation(STOCK, f"{moved} of {sku} sold and not put back by the movements, and {sold} sold")

    def _money(self) -> Iterator[Violation]:
        charges = [charge for order in self.orders for charge in self._books.charges[order]]
        theirs = {"capture": sum(one.amount for one in charges), "refund": sum(one.refunded for one in charges)}
        ours = {kind: int(total) for kind, total in self._rows(_LEDGER)}
        for kind, total in theirs.items():
            if ours.get(kind, 0) != total:
                yield Violation(BOOKS, f"our books say {ours.get(kind, 0)} of {kind}, the company's {total}")
        for order, captured, refunded, alarm in self._rows(_PAYMENTS):
            known = self._books.charges[str(order)]
            at_theirs = (sum(one.amount for one in known), sum(one.refunded for one in known))
            if alarm or (captured, refunded) != at_theirs:
                yield Violation(
                    BOOKS, f"{captured} captured, {refunded} back, the company {at_theirs} {alarm}: {order}"
                )

    def _mails(self) -> Iterator[Violation]:
        sent, wanted = letters(self._folder), Counter(self.mails_due())
        for mail in sorted(sent | wanted):
            if sent[mail] != wanted[mail]:
                yield Violation(MAILS, f"{sent[mail]} of {wanted[mail]} mails: {' '.join(mail)}")

    def _stations(self) -> Iterator[Violation]:
        for number, version, written in self._rows(_STATIONS):
            if version != written:
                yield Violation(STATIONS, f"{written} of {version} changes are written: station {number}")
        [(changes, told)] = self._rows(_TOLD_CHANGES)
        if changes != told:
            yield Violation(STATIONS, f"{changes} changes, and {told} were told")

    def mails_due(self) -> Iterator[tuple[str, str]]:
        """The (kind, order's number) of each that must have been sent."""
        for name, order in self.orders.items():
            if order.was_paid:
                yield "paid", order.number
            if order.state == "cancelled":
                yield "cancelled", order.number
                if self._books.charges[name]:
                    yield "refunded", order.number


def at_rest(rows: Rows, folder: Path) -> bool:
    """Whether nothing is on its way any more: whether it ended well is another question."""
    if any(count for (count,) in rows(_ON_THE_WAY)):
        return False
    sent = letters(folder)
    return all(sent[mail] for mail in Verdict(rows, folder).mails_due())


def in_doubt(rows: Rows) -> bool:
    """Whether a mail waits for the operator."""
    return bool(rows(_IN_DOUBT))


_ORDERS = """
    SELECT id, number, state, total, needs_attention,
    EXISTS (SELECT 1 FROM orders_orderstep AS step WHERE step.order_id = orders_order.id AND step.kind = 'paid')
    FROM orders_order
"""
_STOCK = """
    SELECT product.sku, received, on_hand, held, sold, lost, coalesce((
        SELECT sum(line.quantity) FROM orders_orderline AS line
        WHERE line.product_id = stock.product_id AND line.order_id IN (SELECT id FROM orders_order WHERE state = 'paid')
    ), 0)
    FROM products_stock AS stock JOIN products_product AS product ON product.id = stock.product_id
"""
_NOT_PUT_BACK = """
    SELECT order_id FROM products_reservation JOIN orders_order ON orders_order.id = order_id
    WHERE status = 'committed' AND state = 'cancelled'
"""
_MOVED = """
    SELECT sku, coalesce((
        SELECT sum(CASE kind WHEN 'sold' THEN quantity ELSE -quantity END) FROM products_stockmovement AS moved
        WHERE moved.product_id = stock.product_id AND kind IN ('sold', 'returned')), 0), sold
    FROM products_stock AS stock JOIN products_product AS product ON product.id = stock.product_id
"""
_LEDGER = "SELECT kind, sum(amount) FROM payment_ledgerentry GROUP BY kind"
_PAYMENTS = "SELECT order_id, captured, refunded, alarm FROM payment_payment"
_IN_DOUBT = "SELECT 1 FROM eventbus_deadletter WHERE state = 'open' AND request = '' AND error_class = 'OutcomeUnknown'"
_STATIONS = """
    SELECT feed || ':' || station_id, version, (
        SELECT count(*) FROM stations_stationhistory AS row
        WHERE row.feed = station.feed AND row.station_id = station.station_id)
    FROM stations_station AS station
"""
_TOLD_CHANGES = """
    SELECT (SELECT coalesce(sum(version), 0) FROM stations_station),
    (SELECT count(*) FROM eventbus_outbox WHERE type = 'station.changed.v1')
"""
_ON_THE_WAY = f"""
    SELECT count(*) FROM orders_order WHERE state IN ('placed', 'awaiting_payment', 'closing')
    UNION ALL SELECT count(*) FROM orders_refund WHERE state = 'requested'
    UNION ALL SELECT count(*) FROM payment_attempt WHERE outcome IN ('open', 'action_required')
    UNION ALL SELECT count(*) FROM products_stock WHERE held > 0
    UNION ALL SELECT count(*) FROM products_reservation JOIN orders_order ON orders_order.id = order_id
        WHERE status = 'committed' AND state = 'cancelled'
    UNION ALL SELECT (SELECT sum(version) FROM stations_station) - (SELECT count(*) FROM stations_stationhistory)
    UNION ALL {TIMERS}
    UNION ALL SELECT count(*) FROM eventbus_outbox WHERE log_offset IS NULL
    UNION ALL SELECT count(*) FROM eventbus_parkedevent
    UNION ALL SELECT count(*) FROM eventbus_deadletter WHERE state = 'open'
"""
