"""What the examples of docs/testing.md import."""

from datetime import timedelta

from eventbus.ids import uuid7
from eventbus.testing import Crash, published_events, settle
from eventbus.testing.fault_injection import inject_faults
from mcommerce.events import OrderCancelled, OrderRefundRequested, PaymentSucceeded, StockCommitted, StockReserved
from mcommerce.products.services.stock import reserve_stock
from tests.journeys.order_queries import state_of, stock_of

__all__ = [
    "Crash",
    "OrderCancelled",
    "OrderRefundRequested",
    "PaymentSucceeded",
    "StockCommitted",
    "StockReserved",
    "inject_faults",
    "published_events",
    "reserve_stock",
    "settle",
    "state_of",
    "stock_of",
    "timedelta",
    "uuid7",
]
