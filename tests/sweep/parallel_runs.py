"""Running cases: a template database, a folder for each run, and lives of the site until its day is over."""

import gc
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from json import loads
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import connection
from django.template.loader import get_template
from django.urls import get_resolver, reverse
from django.utils import translation

from tests import event_history
from tests.sweep import kafka_day, poison, provider_process, site_process
from tests.sweep.run import Case, Fault, Outcome, Run

LOOK_SECONDS = 0.02  # between looks at a life
HUNG_SECONDS = 0.2  # a life in which something hangs gets so long to do the rest of its work
RUN_SECONDS = 180  # a run takes a second or two; on a machine busy with other things it may take twenty
PIECES = 100
TOLD_CHARACTERS = 2_000  # of a log: enough to begin looking


class Databases:
    """A template with tables, products and offers, and copies of it: on SQLite or PostgreSQL, as DATABASE_URL says.

    Its events were `sent` to the in-memory log, or are still to be sent to the one of each day.
    """

    def __init__(self, folder: Path, url: str, *, sent: bool = True) -> None:
        self._folder, self._sent = folder, sent
        self._url = url if url.startswith("postgres") else ""
        self.template = {"NAME": "sweep_template" if self._url else str(folder / "template.sqlite3")}

    def prepare(self) -> None:
        """Fill the template, in a process that ends: this one must hold no connection when it forks."""
        if self._url:
            self._admin("CREATE DATABASE sweep_template")
        self._fill()
        warm_up()
        connection.close()
        gc.freeze()  # what is shared with every life stays shared

    def _fill(self) -> None:
        from django.db import connections

        from eventbus import backends, clock, registry
        from eventbus.testing import settle
        from mcommerce.products.models import Product
        from mcommerce.products.services.catalogue import publish_product, save_product
        from mcommerce.products.services.stock import receive_stock

        connections.databases["default"].update(self.template)
        del registry.groups["stations"]  # nobody rides a bike here
        call_command("migrate", verbosity=0)
        poison.lay_tables()
        event_history.lay_tables(registry.groups)
        for sku in ("VASE", "RARE"):
            product = Product(
                sku=sku, slug=sku.lower(), title={"fr": sku, "en": sku}, price=1_900, currency="EUR", tax_rate=2_000
            )
            save_product(product=product, now=clock.now())
            publish_product(product_id=product.id, now=clock.now())
            if sku == "VASE":
                receive_stock(product_id=product.id, quantity=PIECES, now=clock.now())
        settle()
        backends.current().reset()
        if self._sent:
            event_history.begin_anew()
        else:
            kafka_day.unsay_everything()

    def forget(self) -> None:
        """Drop the template; what is a file goes with its folder."""
        if self._url:
            self._admin("DROP DATABASE sweep_template WITH (FORCE)")

    @contextmanager
    def copy(self, run_folder: Path) -> Iterator[dict[str, Any]]:
        if not self._url:
            copied = run_folder / "site.sqlite3"
            shutil.copy(self.template["NAME"], copied)
            yield {"NAME": str(copied)}
            return
        name = f"sweep_{run_folder.name}".lower()
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE sweep_template')
        try:
            yield {"NAME": name}
        finally:
            self._admin(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _admin(self, statement: str) -> None:
        parts = urlsplit(self._url)
        with psycopg.connect(
            host=unquote(parts.hostname or ""), user=parts.username, dbname=parts.path.strip("/"), autocommit=True
        ) as server:
            server.execute(statement)


def warm_up() -> None:
    """Load what every life would load anew."""
    get_resolver().url_patterns  # noqa: B018
    WSGIHandler()
    for name in ("paid", "cancelled", "refunded"):
        get_template(f"orders/mail/{name}.txt")
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            translation.gettext("Paid")
            reverse("orders:cart")


def play(case: Case, databases: Databases, folder: Path, servers: str = "") -> Outcome:
    """One run, from a fresh copy to its verdict; over Kafka where `servers` are named."""
    began = time.monotonic()
    place = Path(mkdtemp(prefix="run_", dir=folder))
    with databases.copy(place) as database, socket.create_server(("127.0.0.1", 0)) as door:
        run = Run(case, place, database, door, servers)
        company_id = provider_process.found(run)
        try:
            problems = live_through(run, began + RUN_SECONDS)
        finally:
            end(company_id)
    report: dict[str, Any] = {"violations": [], "passes": {}}
    with suppress(FileNotFoundError):
        report = loads((place / "report.json").read_text())
    if report["violations"]:
        problems += [*report["violations"], *met(place / "log")]
    return Outcome(case, run.fired, time.monotonic() - began, problems, report["passes"])


def live_through(run: Run, deadline: float) -> list[str]:
    """One life after another until the day is over; what was wrong with them."""
    while True:  # each life but the last has met a fault that none before has
        (run.folder / "died").unlink(missing_ok=True)
        fired_before = run.fired
        child = site_process.born(run)
        status = watch(run, child, deadline, fired_before)
        if status is None:
            return [f"the day did not end: {tail(run.folder / 'log')}"]
        if (run.folder / "report.json").exists():
            return []
        with (run.folder / "deaths").open("a") as deaths:
            deaths.write("+")
        if run.fired == fired_before:
            return [f"the site died by itself: {tail(run.folder / 'died') or f'status {status}'}"]


def tail(told: Path) -> str:
    """The last of what a life has written there."""
    return told.read_text()[-TOLD_CHARACTERS:] if told.exists() else ""


def met(log: Path) -> list[str]:
    """Why visitors tried again, or gave up."""
    return [line for line in log.read_text().splitlines() if " met a failure: " in line] if log.exists() else []


def watch(run: Run, child: int, deadline: float, fired_before: set[Fault]) -> int | None:
    """Wait for the end of a life, and bring it about when something hangs. None when it lasted past the deadline."""
    may_hang = {fault for fault in run.case.faults if fault.way == "hang"} - fired_before
    hung: set[Fault] = set()
    kill_at: float | None = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        now = time.monotonic()
        if (found := may_hang & run.fired) != hung:
            hung, kill_at = found, now + HUNG_SECONDS
        if now > deadline:
            end(child)
            return None
        if kill_at is not None and now > kill_at:
            os.kill(child, signal.SIGKILL)
        time.sleep(LOOK_SECONDS)  # between two looks, until the deadline


def end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
