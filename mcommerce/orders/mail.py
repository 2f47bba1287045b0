"""Mails about an order: plain text, in the order's language, with a link that opens it."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from eventbus import Permanent, clock
from mcommerce.events import CancelReason
from mcommerce.orders import limits
from mcommerce.orders.access import link_key
from mcommerce.orders.models import Order, OrderStep
from mcommerce.orders.views.order_page import page_of
from outside.mail import send_once

SENT = (Order.State.SHIPPED, Order.State.DELIVERED)  # staff accepted it, though it may have cost nothing


def send(name: str, order_id: UUID, **more: Any) -> str:
    """Send the mail `orders/mail/<name>.txt` about an order; its first line is the subject. Return `name`, or "".

    The template also gets `more`. A stranger may have typed the address. So the mail repeats nothing that was typed at
    the checkout, and has no link before the order is paid. An address gets one mail a day about unpaid orders; a
    further one is not sent, and "" returned. A free order counts as unpaid until staff send or cancel it.

    Raises Permanent if a retry cannot help, or might send the mail twice. Then there is no such order, or the mail
    server rejects the address or the mail for good. Or the server does not say whether it took the mail.
    """
    order = Order.objects.filter(id=order_id).first()
    if order is None:
        raise Permanent(f"There is no order {order_id}.")
    paid = _is_vouched_for(order)
    if not paid and not limits.is_first_unpaid_mail(order.email, order_id):
        return ""
    with translation.override(order.language):
        context = {"page": page_of(order, now=clock.now()), "paid": paid, "link": link_to(order_id), **more}
        subject, _newline, body = render_to_string(f"orders/mail/{name}.txt", context).partition("\n")
    send_once(subject.strip(), body.strip() + "\n", to=order.email)
    return name


def _is_vouched_for(order: Order) -> bool:
    """Return whether a payment came for the order, or staff sent or cancelled a free one.

    Until then a stranger may have typed somebody else's address, and the mails to it are limited.
    """
    if order.payment_id or order.state in SENT or order.refunds.exists():
        return True
    return order.cancel_reason == CancelReason.STAFF and order.steps.filter(kind=OrderStep.Kind.PAID).exists()


def link_to(order_id: UUID) -> str:
    """Return the absolute link that opens an order's page in any browser. It holds the key."""
    query = urlencode({"key": link_key(order_id)})
    return f"{settings.SITE_URL}{reverse('orders:open', args=[order_id])}?{query}"
