"""What everything on the site needs. Whatever has no row here fails the test: add one, and think before you do.

A row of ROUTES: the name of a URL pattern, what GET needs, what POST needs (left out: it takes no POST).
A row of DESK: a model in the admin. A row of SOCKETS: a path. A row of DECISIONS: a button on an order's page.

The rows of a feature are beside its tests, in `access_rows.py`, and go with it. Here are the others.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from mcommerce.features.installed import features
from tests.permissions import operator_rows
from tests.permissions.access_needs import (
    ALL,
    FRONT,
    NO_METHOD,
    NOBODY,
    PASSWORD,
    STAFF,
    SUPERUSER,
    Desk,
    Need,
    Route,
    permission,
)

SOME_ORDERS = permission("orders.view_order", "orders.view_offer", "orders.change_offer")

HANDLED = {"group": "orders", "topic": "products", "type": "product.published.v1"}  # by the code
ROOT = {"username": "root@example.com", "password": PASSWORD}

EVENTS = permission("eventbus.view_outboxrow") & permission("eventbus.view_payload")

ROUTES: dict[str, Route] = {
    # --- the wiring ---
    "set_language": Route(get=ALL, post=ALL, data={"language": "fr"}, leads_to=FRONT),
    "front-page": Route(
        get=ALL, leads_to=("stations:dashboard", "accounts:account")
    ),  # the catalogue; without one, a redirect to another feature
    "overview": Route(get=permission("eventbus.view_progress"), parts=("?part=state",)),
    "journey": Route(get=permission("eventbus.view_outboxrow")),
    "bus-groups": Route(get=permission("eventbus.view_progress"), parts=("?part=state",)),
    "bus-operate-group": Route(get=permission("eventbus.operate"), post=permission("eventbus.operate")),
    **operator_rows.ROUTES,
    "metrics": Route(get=ALL),  # from this machine, or with a token: tests/mcommerce/monitoring
    "bus-topics": Route(get=permission("eventbus.view_progress"), parts=("?part=state",)),
    "bus-processes": Route(get=permission("eventbus.view_processrow"), parts=("?part=state",)),
    "bus-events": Route(get=EVENTS),
    "bus-event": Route(get=EVENTS),
    "bus-events-export": Route(get=EVENTS),
    "bus-map": Route(get=permission("eventbus.view_progress"), parts=("?part=state",)),
    "bus-catalogue": Route(get=permission("eventbus.view_progress")),
    "bus-catalogue-entry": Route(get=permission("eventbus.view_progress")),
    "health-live": Route(get=ALL),
    "health-ready": Route(get=ALL),
    "health-serving": Route(get=ALL),
    # --- the admin, beside its tables ---
    "admin:index": Route(get=STAFF, post=STAFF),
    "admin:app_list": Route(get=SOME_ORDERS, post=SOME_ORDERS),  # tried with the orders'
    # Others are sent to the one sign-in page.
    "admin:login": Route(get=STAFF, post=STAFF, data=ROOT, leads_to=("admin:index",)),
    "admin:logout": Route(get=NO_METHOD, post=STAFF),
    "admin:password_change": Route(get=STAFF, post=STAFF, leads_to=("account_change_password",)),
    "admin:password_change_done": Route(get=STAFF),
    "admin:autocomplete": Route(get=NOBODY),  # no form of ours completes by itself
    "admin:jsi18n": Route(get=STAFF),
    "admin:view_on_site": Route(
        get=STAFF, post=STAFF, leads_to=("products:detail", "accounts:account")
    ),  # leads to a public page
}

DECISIONS: dict[str, Need] = {}

DESK: dict[str, Desk] = {
    "auth.group": Desk(
        add=SUPERUSER,
        change=SUPERUSER,
        delete=SUPERUSER,
        actions={"delete_selected": SUPERUSER},
        data={"name": "packers"},
    ),
    # --- the bus ---
    "eventbus.divergence": Desk(),
    "eventbus.forgottenspan": Desk(),
    "eventbus.outboxrow": Desk(
        actions={
            "resend": permission("eventbus.operate"),
            "withdraw": permission("eventbus.operate"),
        },
        rows=dict.fromkeys(("resend", "withdraw"), {"rejected": "too large"}),
    ),
    "eventbus.deadletter": Desk(
        actions={
            "requeue": permission("eventbus.operate"),
            "discard": permission("eventbus.operate"),
            "restore": permission("eventbus.operate"),
        },
        rows={"restore": {"state": "discarded", "discarded_at": datetime.now(UTC)}},
    ),
    "eventbus.ignoredtype": Desk(
        actions={
            "redeliver": permission("eventbus.operate"),
            "dismiss": permission("eventbus.operate"),
        },
        rows={"redeliver": HANDLED},
    ),
    "eventbus.consumergroup": Desk(
        actions={
            "pause": permission("eventbus.operate"),
            "resume": permission("eventbus.operate"),
            "redeliver": permission("eventbus.operate"),
        },
        rows={"resume": {"paused_at": datetime(2026, 11, 25, tzinfo=UTC)}},
    ),
    "eventbus.untrustedrecord": Desk(actions={"dismiss": permission("eventbus.operate")}),
    "eventbus.timer": Desk(),
    "eventbus.parkedevent": Desk(),
    "eventbus.parkedkey": Desk(),
    "eventbus.operatoraction": Desk(),
    "eventbus.replayrun": Desk(),
    "eventbus.progress": Desk(),
    "eventbus.leaserow": Desk(),
    "eventbus.processrow": Desk(),
}

SOCKETS: dict[str, Need] = {}

# Of each feature: makes rows, and returns what stands in its addresses, by the name that a pattern gives it.
NAMES: list[Callable[[Path], dict[str, Any]]] = [operator_rows.names]

HERE = "tests/permissions/access_table.py"


def file_of(app: str) -> str:
    """The file with the rows of the feature with this label; this file, where there is none."""
    names = {config.label: f"tests/{config.name.replace('.', '/')}/access_rows.py" for config in features()}
    return names.get(app, HERE)


def _rows_of_features() -> Iterator[ModuleType]:
    for config in features():
        file = Path(file_of(config.label))
        if (Path(__file__).resolve().parents[2] / file).exists():
            yield import_module(".".join(file.with_suffix("").parts))


for _rows in _rows_of_features():
    ROUTES |= getattr(_rows, "ROUTES", {})
    DECISIONS |= getattr(_rows, "DECISIONS", {})
    DESK |= getattr(_rows, "DESK", {})
    SOCKETS |= getattr(_rows, "SOCKETS", {})
    NAMES += [_rows.names] if hasattr(_rows, "names") else []
