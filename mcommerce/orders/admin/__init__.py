"""The admin of orders, and the decisions of staff about one order."""

from mcommerce.orders.admin import orders  # noqa: F401  # Django finds the admin here
