"""Collect the facts of the running site. Each question may fail alone, and is then named in `Facts.unknown`."""

import logging
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils.module_loading import import_string

from eventbus import backends, clock, registry
from eventbus.backends.base import Backend
from eventbus.database.unit_of_work import unit_of_work
from eventbus.doctor import database_facts
from eventbus.doctor.facts import Clients, Facts, Folder, Log, PostgreSQL, Site, SQLite
from eventbus.operations import group_status
from eventbus.operations.heartbeats import ProcessStatus, processes
from eventbus.schemas.site_events import site_events

logger = logging.getLogger(__name__)
T = TypeVar("T")
RETENTION_HOURS = 24  # of pruning, where the settings say nothing
KAFKA = "eventbus.backends.kafka."
SIGNING_IN = ("security.", "sasl.", "ssl.")  # the settings without which brokers answer nobody
KEY_FILE = "secret_key"  # in VAR_DIR: the key that the settings made at the first start


def gather() -> Facts:
    """Return the facts. It asks database and brokers for some seconds at most, and raises nothing."""
    unknown: dict[str, str] = {}

    def asked(what: str, ask: Callable[[], T], otherwise: T) -> T:
        try:
            with unit_of_work():
                return ask()
        except Exception as error:  # any: a doctor who cannot see one thing looks at the others
            logger.debug("The doctor cannot see the %s", what, exc_info=True)
            unknown[what] = f"{type(error).__name__}: {error}".strip()
            return otherwise

    nobody: list[ProcessStatus] = []
    living = asked("processes", processes, nobody)
    postgres: PostgreSQL | None = None
    file: SQLite | None = None
    if connection.vendor == "postgresql":
        postgres = asked("database", lambda: database_facts.postgresql(living), None)
    elif connection.vendor == "sqlite":
        file = asked("database", lambda: database_facts.sqlite(living), None)
    nothing: dict[str, timedelta] = {}
    waits = asked("lag", _waits, nothing)
    return Facts(
        site=_site(living),
        clients=asked("clients", _clients, None),
        log=asked("brokers", lambda: _log(waits), None),
        postgresql=postgres,
        sqlite=file,
        unknown=unknown,
    )


def _clients() -> Clients | None:
    chosen: dict[str, Any] = settings.EVENTBUS
    if not chosen["BACKEND"].startswith(KAFKA):
        return None
    from eventbus.backends.kafka.configuration import as_chosen, exposed  # a site in memory does not load the client

    options = chosen.get("OPTIONS", {})
    clients = options.get("clients") or {}
    told = as_chosen(clients)
    return Clients(
        servers=tuple(filter(None, str(options.get("servers", "")).split(","))),
        producer=told["producer"],
        consumer=told["consumer"],
        exposed=exposed(clients),
    )


def _log(waits: dict[str, timedelta]) -> Log | None:
    backend = _backend()
    if backend.topics is None:
        return None
    names = sorted({*registry.topics(), *(one.topic for one in site_events().values())})
    found = backend.topics.settings(names)
    return Log(
        brokers=found,
        declared={topic: backend.topics.wanted(topic) for topic in names},
        waits=waits,
        others=tuple(backend.other_sites(registry.groups)),
        newest_ahead=None if found.newest_at is None else found.newest_at - clock.now(),
    )


def _backend() -> Backend:
    """Return the backend. One that refuses its settings is made without them, since the rules say what is wrong."""
    try:
        return backends.current()
    except ImproperlyConfigured:
        chosen: dict[str, Any] = settings.EVENTBUS
        options = chosen.get("OPTIONS", {})
        clients = {name: value for name, value in options["clients"].items() if name.startswith(SIGNING_IN)}
        made: Backend = import_string(chosen["BACKEND"])(**{**options, "clients": clients})
        return made


def _waits() -> dict[str, timedelta]:
    """Return for how long the oldest event of each topic waits for a group."""
    now, waits = clock.now(), dict[str, timedelta]()
    for row in group_status.progress():
        if row.waits_since is not None:
            waits[row.topic] = max(waits.get(row.topic, timedelta()), now - row.waits_since)
    return waits


def _site(living: list[ProcessStatus]) -> Site:
    database = connection.settings_dict
    var = getattr(settings, "VAR_DIR", None)
    now = clock.now()
    return Site(
        debug=settings.DEBUG,
        hosts=tuple(settings.ALLOWED_HOSTS),
        url=getattr(settings, "SITE_URL", ""),
        secret_key=settings.SECRET_KEY,
        key_kept=var is not None and _is_kept(Path(var) / KEY_FILE),
        proxy_header=bool(settings.SECURE_PROXY_SSL_HEADER),
        redirects=settings.SECURE_SSL_REDIRECT,
        secure_cookies=settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE,
        time_zones=settings.USE_TZ,
        mail=settings.EMAIL_BACKEND,
        failpoints=tuple(getattr(settings, "EVENTBUS_FAILPOINTS", ())),
        atomic_requests=bool(database.get("ATOMIC_REQUESTS")),
        health_checks=bool(database.get("CONN_HEALTH_CHECKS")),
        keeps_connections=database.get("CONN_MAX_AGE", 0) != 0,
        retention=timedelta(hours=getattr(settings, "EVENTBUS_RETENTION_HOURS", RETENTION_HOURS)),
        folders=tuple(_folder(Path(one)) for one in sorted({str(one) for one in (var, settings.MEDIA_ROOT) if one})),
        ahead={one.host: one.beat_at - now for one in living},
    )


def _is_kept(file: Path) -> bool:
    try:
        return file.read_text(encoding="ascii") == settings.SECRET_KEY
    except (OSError, UnicodeDecodeError):
        return False


def _folder(path: Path) -> Folder:
    """Return the room of a folder. A missing one is made when it is needed, so its parent is looked at."""
    there = next(one for one in (path, *path.parents) if one.exists())
    refused = "" if os.access(there, os.W_OK) else "it cannot be written by this user"
    return Folder(path=str(path), free=shutil.disk_usage(there).free, refused=refused)
