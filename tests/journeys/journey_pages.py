"""Read the page of a journey as staff do."""

import json
import re
from html import unescape

from django.contrib.auth.models import Permission
from django.test import Client

from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from mcommerce.accounts.models import User

PAGE = "/eventbus/journey/"


def staff(*permissions: str) -> Client:
    user = User.objects.create_user(f"{uuid7()}@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, text: str, **headers: str) -> str:
    return unescape(client.get(PAGE, {"q": text}, headers=headers).content.decode())


def events(html: str) -> list[str]:
    return re.findall(r'class="journey__type"><code>([^<]+)', html)


def correlation_of(row: OutboxRow) -> str:
    return str(json.loads(row.headers)["correlationid"])
