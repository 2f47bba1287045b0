"""What a journey looks at: the order, its history, its mails, the stock, and the page of the bus that shows it all."""

import json
import re
from html import unescape

from django.contrib.auth.models import Permission
from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse

from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from mcommerce.accounts.models import User
from mcommerce.orders.models import Order, OrderStep
from mcommerce.products.models import Product, Stock


def state_of(order: Order) -> str:
    return Order.objects.get(id=order.id).state


def steps_of(order: Order) -> list[str]:
    return list(OrderStep.objects.filter(order=order).values_list("kind", flat=True))


def mails_about(order: Order) -> list[EmailMessage]:
    """The shop's mails about the order: their subjects name it. Other apps may write to its customer too."""
    return [sent for sent in mail.outbox if order.number in sent.subject]


def stock_of(product: Product) -> tuple[int, int]:
    """Pieces there, and how many of them are held."""
    return Stock.objects.values_list("on_hand", "held").get(product=product)


def page_of(browser: Client, order: Order) -> str:
    """Where the browser is sent to pay."""
    return str(browser.post(reverse("payment:pay", args=[order.id])).url)


def staff(*permissions: str) -> Client:
    user = User.objects.create_user(f"{uuid7()}@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, text: str, **headers: str) -> str:
    return unescape(client.get("/eventbus/journey/", {"q": text}, headers=headers).content.decode())


def events(html: str) -> list[str]:
    return re.findall(r'class="journey__type"><code>([^<]+)', html)


def correlation_of(row: OutboxRow) -> str:
    return str(json.loads(row.headers)["correlationid"])
