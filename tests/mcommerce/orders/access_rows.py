"""Who may use the addresses, tables and sockets of carts and orders. `tests/permissions` tries each row."""

from pathlib import Path
from typing import Any

from tests.permissions import sample_rows
from tests.permissions.access_needs import ALL, NO_METHOD, SIGNED_IN, Desk, Need, Route, owner_or, permission

ROUTES: dict[str, Route] = {
    "orders:cart": Route(get=ALL),
    "orders:count": Route(get=ALL),
    "orders:add": Route(get=NO_METHOD, post=ALL),
    "orders:change": Route(get=NO_METHOD, post=ALL),
    "orders:agree": Route(get=NO_METHOD, post=ALL),
    "orders:take": Route(get=NO_METHOD, post=ALL),
    "orders:checkout": Route(get=ALL, post=ALL),
    "orders:terms": Route(get=ALL),
    "orders:list": Route(get=SIGNED_IN),
    "orders:order": Route(get=owner_or("orders.view_order")),
    "orders:open": Route(get=ALL),  # a redirect; the key decides what the session sees from then on
    "orders:cancel": Route(
        get=NO_METHOD, post=Need(owner=True, clauses=(("orders.view_order",), ("orders.cancel_order",)))
    ),
    "orders:rest": Route(get=NO_METHOD, post=owner_or("orders.view_order")),  # into one's own cart
    "admin:orders_order_decide": Route(
        get=permission("orders.view_order") & permission("orders.cancel_order"),
        post=permission("orders.view_order") & permission("orders.cancel_order"),
    ),
}

DECISIONS: dict[str, Need] = {
    "ship": permission("orders.ship_order"),
    "deliver": permission("orders.ship_order"),
    "refund": permission("orders.refund_order"),
    "put-back": permission("orders.refund_order"),
    "refund-again": permission("orders.refund_order"),
    "looked-at": permission("orders.change_order"),
    "cancel": permission("orders.cancel_order"),
}

DESK: dict[str, Desk] = {
    "orders.order": Desk(
        see=permission("orders.view_order"),  # who may say that they looked, sees nothing by that
        actions={
            "cancel": permission("orders.cancel_order"),
            "ship": permission("orders.ship_order"),
            "deliver": permission("orders.ship_order"),
            "refund_again": permission("orders.refund_order"),
            "looked_at": permission("orders.change_order"),
        },
    ),
    "orders.offer": Desk(),
}

SOCKETS: dict[str, Need] = {
    "ws/orders/<uuid:order_id>/": owner_or("orders.view_order"),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """An order of the customer."""
    return {"order_id": sample_rows.order_of_the_customer().pk, "app_label": "orders"}
