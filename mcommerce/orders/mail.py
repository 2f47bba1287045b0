"""Mails about an order: plain text, in the order's language, with a link that opens it."""

from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from eventbus import Permanent, clock
from mcommerce.events import CancelReason
from mcommerce.orders import limits
from mcommerce.orders.access import link_key
from mcommerce.orders.models import Order, OrderStep
from mcommerce.orders.page import page_of

ADDRESS_CODES = {550, 551, 553}  # of SMTP's answers to a recipient: there is no such mailbox (RFC 5321, 4.2.2)
OUR_FAULT = b"5.7."  # how enhanced ones begin that are about who sends, not who receives (RFC 3463, 3.8)
SENT = (Order.State.SHIPPED, Order.State.DELIVERED)  # staff believed in it, though it may have cost nothing
FINAL_CODE_MIN = 500  # smaller ones ask to try again later (RFC 5321, 4.2.1)


def send(name: str, order_id: UUID, **more: Any) -> str:
    """Send the mail `orders/mail/<name>.txt`, whose first line is its subject, about an order. Returns its name.

    `more` is what the template shows beside the order. Nobody has shown that the address is theirs, so nothing that was
    typed at the checkout is in it. Before an order is paid there is no link either. One mail a day goes to an
    address about orders without a payment, those that cost nothing too until staff decides about them: where it had
    one, nothing is sent, and the name is empty.

    Raises Permanent where no attempt can help, or one more might send it twice: there is no such order, the mail server
    refuses its address or the mail for good, or does not say whether it has taken it.
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
    _send(EmailMessage(subject.strip(), body.strip() + "\n", to=[order.email]))
    return name


def _is_vouched_for(order: Order) -> bool:
    """Whether money came, or staff acted on what cost nothing: a stranger who types an address does neither."""
    if order.payment_id or order.state in SENT or order.refunds.exists():
        return True
    return order.cancel_reason == CancelReason.STAFF and order.steps.filter(kind=OrderStep.Kind.PAID).exists()


def _send(message: EmailMessage) -> None:
    """What is raised is tried again for long; so that must not be what may have reached the customer."""
    try:
        message.send()
    except SMTPServerDisconnected as gone:  # in the middle of the mail: `outside.mail` has other errors for before
        raise Permanent("The mail server gave no answer: it may have the mail, which is not sent twice.") from gone
    except SMTPRecipientsRefused as refused:
        [(code, said)] = refused.recipients.values()
        if code not in ADDRESS_CODES or OUR_FAULT in said:
            raise
        raise Permanent(f"The mail server takes no mail for the order's address: it says {code}.") from refused
    except SMTPDataError as refused:
        if refused.smtp_code < FINAL_CODE_MIN:
            raise
        raise Permanent(f"The mail server does not take this mail: it says {refused.smtp_code}.") from refused


def link_to(order_id: UUID) -> str:
    """The whole address that opens an order's page in any browser. It holds the key."""
    query = urlencode({"key": link_key(order_id)})
    return f"{settings.SITE_URL}{reverse('orders:open', args=[order_id])}?{query}"
