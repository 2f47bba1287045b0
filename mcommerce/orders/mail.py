"""Mails about an order: plain text, in the order's language, with a link that opens it."""

from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from eventbus import Permanent, clock
from mcommerce.orders.access import link_key
from mcommerce.orders.models import Order
from mcommerce.orders.page import page_of


def send(name: str, order_id: UUID) -> str:
    """Send the mail `orders/mail/<name>.txt`, whose first line is its subject, about an order. Returns its name."""
    order = Order.objects.filter(id=order_id).first()
    if order is None:
        raise Permanent(f"There is no order {order_id}.")
    with translation.override(order.language):
        context = {"page": page_of(order, now=clock.now()), "link": link_to(order_id)}
        subject, _newline, body = render_to_string(f"orders/mail/{name}.txt", context).partition("\n")
    EmailMessage(subject.strip(), body.strip() + "\n", to=[order.email]).send()
    return name


def link_to(order_id: UUID) -> str:
    """The whole address of an order's page, with the key that opens it in any browser."""
    query = urlencode({"key": link_key(order_id)})
    return f"{settings.SITE_URL}{reverse('orders:order', args=[order_id])}?{query}"
