"""The shop's part of the verdict: what shoppers were told, the shop's tables, and the payment provider's own books."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.chaos.client_records import Violation, read_told
from tests.chaos.shop.roles import SHOPPERS
from tests.letterbox import letters

ORDERED = "an acknowledged order is kept"
ENDED = "every order comes to its right end"
STOCK = "nothing is oversold, and every piece is somewhere"
CHARGED = "an order is charged once"
RETURNED = "money that must go back goes back once"
BOOKS = "the shop's books balance"
MAILS = "no mail is sent twice"
STATIONS = "a station's changes are told once and written"
TAKEN = "checkout is accepted while the broker is away"
ENDS = ("paid", "cancelled")

# Of those that fire within a run: an hour later somebody looks whether an overdue order's payment is closed.
TIMERS = "SELECT count(*) FROM eventbus_timer WHERE due < now() + interval '30 minutes'"
Rows = Callable[..., list[tuple[Any, ...]]]


def violations(rows: Rows, folder: Path) -> Iterator[Violation]:
    """Of a shop that has come to rest. `rows` asks its database."""
    orders = {str(order): rest for order, *rest in rows("SELECT id, state, total, needs_attention FROM orders_order")}
    charges = charges_of(folder / "var" / "sandbox-provider.sqlite3")
    told = {what: read_told([folder / SHOPPERS], what) for what in ("ordered", "charged", *ENDS)}
    for order in told["ordered"] - orders.keys():
        yield Violation(ORDERED, f"acknowledged and not in the database: {order}")
    for end in ENDS:
        for order in told[end] & orders.keys():
            if orders[order][0] != end:
                yield Violation(ORDERED, f"told to be {end}, and is {orders[order][0]}: {order}")
    for order in told["charged"] - charges.keys() | charges.keys() - orders.keys():
        yield Violation(CHARGED, f"the company and the shop do not both know of it: {order}")
    for order, (state, total, attention) in orders.items():
        if state not in ENDS or attention:
            yield Violation(ENDED, f"{state}{' and needs a person' * attention}: {order}")
        amounts, back = [amount for amount, *_ in charges[order]], total if state == "cancelled" else 0
        if amounts not in ([total],) and (amounts or state == "paid"):
            yield Violation(CHARGED, f"{amounts} of {total}: {order}")
        for _amount, refunded, refunds in charges[order]:
            if refunded != back or refunds > 1:
                yield Violation(RETURNED, f"{refunded} of {back} in {refunds} parts: {order}")
    for order, captured, refunded, alarm in rows("SELECT order_id, captured, refunded, alarm FROM payment_payment"):
        known = [sum(charge[column] for charge in charges[str(order)]) for column in (0, 1)]
        if alarm or [captured, refunded] != known:
            yield Violation(BOOKS, f"{captured} captured, {refunded} back, the company {known} {alarm}: {order}")
    yield from (Violation(STOCK, f"its numbers do not fit: {sku}") for (sku,) in rows(_WRONG_STOCK))
    yield from (Violation(STATIONS, f"not all is written: {station}") for (station,) in rows(_UNWRITTEN))
    [(changes, told_of)] = rows(_CHANGES)
    if changes != told_of:
        yield Violation(STATIONS, f"{changes} changes, and {told_of} were told")
    for (kind, number), times in letters(folder).items():
        if times > 1:
            yield Violation(MAILS, f"{times} mails: {kind} {number}")


def charges_of(file: Path) -> defaultdict[str, list[tuple[int, int, int]]]:
    """By order what the company took, gave back, and in how many parts; in minor units."""
    found: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    question = "SELECT reference, amount, refunded, (SELECT count(*) FROM refund WHERE charge = charge.id) FROM charge"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as books:
        for order, *charge in books.execute(question):
            found[order].append(tuple(charge))
    return found


def at_rest(rows: Rows) -> bool:
    """Whether nothing is on its way any more: whether it ended well is another question."""
    return not any(count for (count,) in rows(_ON_THE_WAY))


_WRONG_STOCK = """
    SELECT sku FROM products_stock AS stock JOIN products_product AS product ON product.id = stock.product_id
    WHERE received <> on_hand + sold + lost OR on_hand < 0 OR held <> 0 OR sold <> coalesce((
        SELECT sum(line.quantity) FROM orders_orderline AS line
        WHERE line.product_id = stock.product_id AND line.order_id IN (SELECT id FROM orders_order WHERE state = 'paid')
    ), 0)
"""
_UNWRITTEN = """
    SELECT feed || ':' || station_id FROM stations_station AS station WHERE version <> (
        SELECT count(*) FROM stations_stationhistory AS row
        WHERE row.feed = station.feed AND row.station_id = station.station_id)
"""
_CHANGES = """
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
