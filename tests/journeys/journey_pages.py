"""Read the page of a journey as staff do: its events, what groups made of them, and what is expected."""

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


def handled(html: str, event: str) -> dict[str, str]:
    """What each group has made of the event of this type, by group: a state."""
    [part] = [part for part in html.split('<li class="journey__entry')[1:] if f"<code>{event}</code></h3>" in part]
    return {group: state for state, group in re.findall(r"journey__handling--(\w+)\"><strong>([^<]+)", part)}


def correlation_of(row: OutboxRow) -> str:
    return str(json.loads(row.headers)["correlationid"])


def expected(html: str) -> str:
    part = html.partition('class="journey__expected')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())
