"""Names of the shop in the examples of docs/testing.md. The page itself imports those of the kit."""

from datetime import timedelta

from django.db import transaction

from eventbus import publish
from eventbus.ids import uuid7
from mcommerce.events import (
    OrderAwaitingPayment,
    OrderCancelled,
    OrderedLine,
    OrderPaid,
    OrderRefundRequested,
    PaymentOpened,
    PaymentSucceeded,
    StockCommitFailed,
    StockCommitted,
    StockReserved,
)
from mcommerce.products.services.stock import reserve_stock
from tests.journeys.order_queries import state_of, stock_of

__all__ = [
    "OrderAwaitingPayment",
    "OrderCancelled",
    "OrderPaid",
    "OrderRefundRequested",
    "OrderedLine",
    "PaymentOpened",
    "PaymentSucceeded",
    "StockCommitFailed",
    "StockCommitted",
    "StockReserved",
    "publish",
    "reserve_stock",
    "state_of",
    "stock_of",
    "timedelta",
    "transaction",
    "uuid7",
]
