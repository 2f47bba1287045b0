"""The roles of staff on the bus, and what those who may not look into payloads are not shown."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

LOOK, VIEW_PAYLOAD = "eventbus.view_progress", "eventbus.view_payload"
OPERATE, ADMINISTER = "eventbus.operate", "eventbus.administer"
# What events contain, and the texts that may quote it: an error often names the value that it is about.
WITHHELD = ("payload", "headers", "content", "error", "traceback", "breaker_reason", "rejected")


def may_see_payloads(request: HttpRequest) -> bool:
    """Return whether this user may look into payloads, and into texts that may quote them."""
    return request.user.has_perm(VIEW_PAYLOAD)


def seen_by(request: HttpRequest, names: Iterable[Any]) -> list[Any]:
    """Return those of these fields that the user may see."""
    hidden = () if may_see_payloads(request) else WITHHELD
    return [name for name in names if name not in hidden]
