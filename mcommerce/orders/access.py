"""Access to an order: for the session that placed it, its account, holders of its mail's link, and permitted staff."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing

from mcommerce import staff_permissions
from mcommerce.orders.models import Order

SESSION_KEY = "orders"
REMEMBERED_MAX = 50  # orders a session knows, the newest ones: a session row is read with every request
LINK_AGE = timedelta(days=365)  # people keep a mail for as long as they may return the goods

VIEW = "orders.view_order"
CANCEL = "orders.cancel_order"  # and refund it
SHIP = "orders.ship_order"  # and mark it as delivered
REFUND = "orders.refund_order"
ATTEND = "orders.change_order"  # mark it as looked at

LINK_SALT = "mcommerce.orders.link"


def find_visible(order_id: UUID, *, user: AbstractBaseUser | AnonymousUser, session: SessionBase) -> Order | None:
    """Return the order if this visitor may see it. None does not tell them whether it exists."""
    order = Order.objects.filter(id=order_id).first()
    return order if order and _may_see(order, user, session) else None


def _may_see(order: Order, user: AbstractBaseUser | AnonymousUser, session: SessionBase) -> bool:
    if str(order.id) in session.get(SESSION_KEY, []):
        return True
    if not user.is_authenticated:
        return False
    return order.customer_id == user.pk or acts_as_staff(order, user)


def acts_as_staff(order: Order, user: Any) -> bool:
    """Return whether this user sees the order as staff: they may see all orders, and it is not their own."""
    return user.is_authenticated and order.customer_id != user.pk and staff_permissions.may(user, VIEW)


def may_cancel(order: Order, user: Any) -> bool:
    """Return whether this viewer may cancel the order: its customer always, staff with the permission."""
    return not acts_as_staff(order, user) or staff_permissions.may(user, CANCEL)


def remember(session: SessionBase, order_id: UUID) -> None:
    """Let this session see the order from now on."""
    known = [known for known in session.get(SESSION_KEY, []) if known != str(order_id)]
    session[SESSION_KEY] = [*known, str(order_id)][-REMEMBERED_MAX:]


def remembered(session: SessionBase) -> tuple[str, ...]:
    """Return the ids of the orders that this session sees, the newest last."""
    return tuple(session.get(SESSION_KEY, []))


def link_key(order_id: UUID) -> str:
    """Return the key in the mail's link: it opens this order, and only this one, for `LINK_AGE`."""
    signer = signing.TimestampSigner(salt=LINK_SALT)
    return signer.sign(str(order_id)).partition(signer.sep)[2]


def opens(order_id: UUID, key: str) -> bool:
    """Return whether `key` came from this order's mail and is still valid."""
    signer = signing.TimestampSigner(salt=LINK_SALT)
    try:
        return signer.unsign(f"{order_id}{signer.sep}{key}", max_age=LINK_AGE) == str(order_id)
    except signing.BadSignature:
        return False
