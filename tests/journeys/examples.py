"""Names of the shop in the examples of docs/testing.md. The page itself imports those of the kit."""
# ruff: noqa: F401, F403

from datetime import timedelta

from django.db import transaction

from eventbus import publish
from eventbus.ids import uuid7
from mcommerce.events import *
from mcommerce.products.services.stock import reserve_stock
from tests.journeys.order_queries import state_of, stock_of
