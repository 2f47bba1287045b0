"""What the examples of docs/testing.md import."""

from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import publish
from eventbus.ids import uuid7
from eventbus.testing import Crash, published_events, sample, settle
from eventbus.testing.fault_injection import inject_faults
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
    "Crash",
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
    "inject_faults",
    "publish",
    "published_events",
    "pytest",
    "reserve_stock",
    "sample",
    "settle",
    "state_of",
    "stock_of",
    "timedelta",
    "transaction",
    "uuid7",
]
