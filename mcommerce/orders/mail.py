"""Mails about an order: plain text, in the order's language, with a link that opens it."""

from smtplib import SMTPRecipientsRefused
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

PERMANENT_CODE_MIN = 500  # of SMTP's answers; smaller ones ask to try again later (RFC 5321, 4.2.1)


def send(name: str, order_id: UUID) -> str:
    """Send the mail `orders/mail/<name>.txt`, whose first line is its subject, about an order. Returns its name.

    Raises Permanent where no attempt can help: there is no such order, or its address is refused for good.
    """
    order = Order.objects.filter(id=order_id).first()
    if order is None:
        raise Permanent(f"There is no order {order_id}.")
    with translation.override(order.language):
        context = {"page": page_of(order, now=clock.now()), "link": link_to(order_id)}
        subject, _newline, body = render_to_string(f"orders/mail/{name}.txt", context).partition("\n")
    _send(EmailMessage(subject.strip(), body.strip() + "\n", to=[order.email]))
    return name


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except SMTPRecipientsRefused as refused:
        [(code, _)] = refused.recipients.values()
        if code < PERMANENT_CODE_MIN:
            raise
        raise Permanent(f"The mail server takes no mail for the order's address: it says {code}.") from refused


def link_to(order_id: UUID) -> str:
    """The whole address of an order's page, with the key that opens it in any browser."""
    query = urlencode({"key": link_key(order_id)})
    return f"{settings.SITE_URL}{reverse('orders:order', args=[order_id])}?{query}"
