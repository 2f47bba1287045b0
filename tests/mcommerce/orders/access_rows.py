"""Who may use the addresses, tables and sockets of carts and orders. `tests/permissions` tries each row."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.test import Client
from django.urls import reverse

from mcommerce.orders.models import Offer
from tests.permissions import sample_rows
from tests.permissions.access_needs import ALL, NO_METHOD, SIGNED_IN, Desk, Need, Route, owner_or, permission
from tests.purchase_steps import ANSWERS


def one_piece(client: Client) -> dict[str, Any]:
    """A product that is for sale, for the cart."""
    facts = {"for_sale": True, "available": 9, "version": 1, "price": 1_900, "currency": "EUR", "title": {"fr": "Vase"}}
    offer, _new = Offer.objects.get_or_create(product_id=UUID(int=1), defaults=facts)
    return {"product_id": offer.product_id, "quantity": 1}


def with_a_cart(client: Client) -> dict[str, Any]:
    """The same, once it is in the visitor's cart."""
    piece = one_piece(client)
    client.post(reverse("orders:add"), piece)
    return piece


def checkout_form(client: Client) -> dict[str, Any]:
    """The form as somebody fills it in who has seen the cart."""
    with_a_cart(client)
    page = client.get(reverse("orders:checkout"))
    return {**ANSWERS, "seen": page.context["seen"], "token": uuid4()}


LOOK, CANCEL, SHIP, REFUND, CHANGE = (
    permission(f"orders.{name}_order") for name in ("view", "cancel", "ship", "refund", "change")
)

ROUTES: dict[str, Route] = {
    "orders:cart": Route(get=ALL),
    "orders:count": Route(get=ALL),
    "orders:add": Route(get=NO_METHOD, post=ALL, data=one_piece),
    "orders:change": Route(get=NO_METHOD, post=ALL, data=with_a_cart),
    "orders:agree": Route(get=NO_METHOD, post=ALL, data=with_a_cart),
    "orders:take": Route(get=NO_METHOD, post=ALL, data=with_a_cart),
    "orders:checkout": Route(get=ALL, post=ALL, data=checkout_form, leads_to=("orders:cart",)),
    "orders:terms": Route(get=ALL),
    "orders:list": Route(get=SIGNED_IN),
    "orders:order": Route(get=owner_or("orders.view_order"), parts=("?fragment=1", "?fragment=1&slots=1")),
    "orders:open": Route(get=ALL, leads_to=("orders:order",)),  # the key decides what the session sees from then on
    "orders:cancel": Route(
        get=NO_METHOD, post=Need(owner=True, clauses=(("orders.view_order",), ("orders.cancel_order",)))
    ),
    "orders:rest": Route(get=NO_METHOD, post=owner_or("orders.view_order")),  # into one's own cart
    "admin:orders_order_decide": Route(get=LOOK & CANCEL, post=LOOK & CANCEL),
}

DECISIONS: dict[str, Need] = {
    "ship": SHIP,
    "deliver": SHIP,
    "refund": REFUND,
    "put-back": REFUND,
    "refund-again": REFUND,
    "looked-at": CHANGE,
    "cancel": CANCEL,
}

DESK: dict[str, Desk] = {
    "orders.order": Desk(
        see=LOOK,  # who may say that they looked, sees nothing by that
        actions={"cancel": CANCEL, "ship": SHIP, "deliver": SHIP, "refund_again": REFUND, "looked_at": CHANGE},
    ),
    "orders.offer": Desk(),
}

SOCKETS: dict[str, Need] = {
    "ws/orders/<uuid:order_id>/": owner_or("orders.view_order"),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """An order of the customer."""
    return {"order_id": sample_rows.order_of_the_customer().pk, "app_label": "orders"}
