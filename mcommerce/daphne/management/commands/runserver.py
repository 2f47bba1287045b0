"""Daphne's runserver, which checks before it starts that it can listen, and that it may."""

import ipaddress
import os
import socket
from typing import Any
from urllib.parse import urlsplit

from daphne.management.commands import runserver
from django.conf import settings
from django.core.management import CommandError

from mcommerce.daphne.server import ServerWithHeaders


class Command(runserver.Command):  # type: ignore[misc]  # Daphne has no types
    """A runserver that ends when it cannot listen. Daphne's own logs a taken port, and its bus works on."""

    server_cls = ServerWithHeaders

    def inner_run(self, *args: Any, **options: Any) -> None:
        if complaint := _may_not_listen(self.addr) or _cannot_listen(self.addr, int(self.port)):
            if not options["use_reloader"]:
                raise CommandError(complaint)
            self.stderr.write(self.style.ERROR(complaint))
            self.stderr.flush()
            os._exit(1)  # in the reloader's thread, which would wait for a changed file
        if _is_elsewhere(int(self.port)):
            self.stderr.write(
                f"Links in mails and the way back from the payment company lead to SITE_URL, {settings.SITE_URL}: "
                f"start it with SITE_URL=http://{self.addr}:{self.port}"
            )
        super().inner_run(*args, **options)


def _is_elsewhere(port: int) -> bool:
    """Return whether links of this site lead to another port of this machine."""
    ours = urlsplit(settings.SITE_URL)
    return settings.LOCAL and ours.hostname in ("127.0.0.1", "localhost") and ours.port != port


def _may_not_listen(host: str) -> str:
    """Return the reason and the remedy; empty where it may."""
    opened = [name for name in ("DEMO", "DEBUG") if getattr(settings, name)]
    if not opened or _is_loopback(host):
        return ""
    return (
        f"{' and '.join(opened)} opens doors for whoever is at this machine, and {host} can be reached from elsewhere. "
        "Listen at 127.0.0.1, or unset it"
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _cannot_listen(host: str, port: int) -> str:
    """Return the obstacle and the remedy; empty where it can."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as door:  # as Twisted does
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind((host, port))
            door.listen()
    except (OSError, OverflowError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or error
        return f"Nothing can listen at {host} port {port}: {said}. Name another, such as manage.py runserver 8010"
    return ""
