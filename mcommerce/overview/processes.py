"""The page of the processes, and of the settings of the process that answers."""

import os
import socket
from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from eventbus import clock
from eventbus.admin.roles import ADMINISTER
from eventbus.database.storable_text import ranged
from eventbus.models import LeaseRow
from eventbus.operations import heartbeats, log_levels
from eventbus.operations.heartbeats import ProcessStatus
from mcommerce import staff_permissions
from mcommerce.overview.frame import MAY_SEE_PROCESSES, PART, for_staff, live

# The settings whose value is no secret. Any other one is masked, also one that is new: think before you add it here. An
# address may hold a password or a key, as those of DATABASE_URL, EMAIL_URL, STATIONS_FEEDS and STATIONS_TILE_URL can.
SHOWN = frozenset(
    {
        *("DEMO", "DEBUG", "ALLOWED_HOSTS", "SITE_URL", "TRUST_PROXY", "VAR_DIR", "HSTS_PRELOAD", "RELEASE"),
        *("LOG_LEVEL", "LOG_FORMAT", "EVENTBUS_SOURCE", "EVENTBUS_PARTITIONS", "EVENTBUS_FAILPOINTS"),
        *("EVENTBUS_RETENTION_HOURS", "EVENTBUS_LAG_EVENTS_MAX", "EVENTBUS_LAG_SECONDS_MAX", "EVENTBUS_LIVENESS_FILE"),
        *("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_PREFIX", "KAFKA_REPLICATION", "KAFKA_GROUP_PROTOCOL"),
        *("KAFKA_GROUP_INSTANCE_ID", "KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM"),
        *("DRAIN_SECONDS", "READY_OUTBOX_SECONDS", "RUN_BUS_IN_SERVER", "ORDER_PAYMENT_MINUTES", "SHOP_CURRENCY"),
        *("PAYMENT_PROVIDER", "SIMULATOR_SEED", "STATIONS_POLL_INTERVAL_MS", "STATIONS_REPLAY_SPEED"),
        *("STATIONS_FORECAST_DAYS", "STATIONS_HISTORY_DAYS", "STATIONS_HISTORY_HOURS_DAYS"),
    }
)


class SettingRow(NamedTuple):
    """A setting of this process. `value` is None if it is masked. `is_set`: the environment names it."""

    name: str
    value: str | None
    is_set: bool


class ProcessRow(NamedTuple):
    """A process, with the partitions that it reads by group."""

    status: ProcessStatus
    reads: list[tuple[str, str]]


@require_safe
@for_staff(MAY_SEE_PROCESSES)
def processes(request: HttpRequest) -> HttpResponse:
    """Show each process with its last heartbeat, the leases, and the settings of the process that answers."""
    context = {
        "title": _("Processes"),
        "at": clock.now(),
        "processes": [
            ProcessRow(one, [(group, ranged(partitions)) for group, partitions in sorted(one.assignment.items())])
            for one in heartbeats.processes()
        ],
        "log_levels": list(log_levels.active()),
        "may_administer": staff_permissions.may(request.user, ADMINISTER),
        "leases": list(LeaseRow.objects.order_by("name")),
        "here": f"{socket.gethostname()}/{os.getpid()}",
        "settings": list(_settings()),
        "backend": settings.EVENTBUS["BACKEND"],
    }
    return live(request, "bus-processes", "overview/processes.html", context, part=PART in request.GET)


def _settings() -> Iterator[SettingRow]:
    for name, is_set in sorted(settings.SET_BY_ENVIRONMENT.items()):
        yield SettingRow(name, _text(getattr(settings, name, "")) if name in SHOWN else None, is_set)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
