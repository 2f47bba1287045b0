"""Daphne's runserver, which checks before it starts that it can listen, and that it may."""

import ipaddress
import os
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from daphne.management.commands import runserver
from django.conf import settings
from django.core.management import CommandError
from django.utils.autoreload import file_changed

from mcommerce.daphne.free_ports import PORT_MAX, Address, address_of, complaints, free_port, obstacle
from mcommerce.daphne.server import ServerWithHeaders
from mcommerce.serving.background_threads import stand_ins


class Command(runserver.Command):
    """A runserver that ends if it cannot listen. Daphne's own would only log that, and its bus would go on."""

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
                f"Links in mails and the way back from the payment provider lead to SITE_URL, {settings.SITE_URL}: "
                f"start it with SITE_URL=http://{self.addr}:{self.port}"
            )
        super().inner_run(*args, **options)


def _is_of_a_package(file_path: Path, **told: Any) -> bool:
    """Return whether a changed file is an installed package's: then Django's reloader does not restart the site.

    Whoever installs the tools beside a running site also gets another setuptools, which every process has loaded.
    """
    folders = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    return any(file_path.is_relative_to(folder) for folder in folders)


file_changed.connect(_is_of_a_package)


def _is_elsewhere(port: int) -> bool:
    """Return whether links of this site lead to another port of this machine."""
    ours = urlsplit(settings.SITE_URL)
    return settings.LOCAL and ours.hostname in ("127.0.0.1", "localhost") and ours.port != port


def _may_not_listen(host: str) -> str:
    """Return the reason why the server may not listen at this host, with the remedy; "" if it may."""
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
    """Return the addresses that are not free, and a command with free ones; "" if all are free."""
    site = Address("the site", "SITE_URL", host, port)
    needed = [site, *(address_of(f"the {name}", key, getattr(settings, key)) for name, key in stand_ins())]
    found = complaints(needed)
    return "\n".join([*found, f"Perhaps a site already runs there. Type: {_line(needed)}"]) if found else ""


def _line(needed: Sequence[Address]) -> str:
    """Return the command to type, with a free port for each that is taken."""
    ports = {one: one.port for one in needed}
    for one in needed:
        if obstacle(one.host, one.port):
            ports[one] = free_port(one.host, beyond=min(one.port, PORT_MAX // 2))
    site = needed[0]
    moved = [f"{one.setting}=http://{one.host}:{port}" for one, port in ports.items() if port != one.port]
    return " ".join([*moved, "manage.py runserver", f"{site.host}:{ports[site]}"])
