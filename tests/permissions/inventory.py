"""What there is to try: every route of the URLconf, every table and action of the admin, every socket."""

from collections.abc import Iterator
from inspect import isclass, isfunction, unwrap
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, get_resolver

from mcommerce.features.installed import PRODUCTS
from mcommerce.routing import build_application
from tests.permissions import access_table

OF_A_TABLE = ("changelist", "add", "change", "delete", "history")
TABLE = access_table.HERE


def routes(resolver: Any = None, namespace: str = "") -> Iterator[tuple[str, str]]:
    """The name and the pattern of every route that is no table's of the desk."""
    return ((name, str(route.pattern)) for name, route in _named(resolver or get_resolver(), namespace))


def views() -> Iterator[tuple[str, Any]]:
    """The name and the view of each of them that is a function of ours."""
    found = ((name, unwrap(route.callback)) for name, route in _named(get_resolver(), ""))
    return ((name, view) for name, view in found if view.__module__.partition(".")[0] in PRODUCTS)


def _named(resolver: Any, namespace: str) -> Iterator[tuple[str, URLPattern]]:
    for one in resolver.url_patterns:
        if not isinstance(one, URLPattern):
            yield from _named(one, f"{namespace}{one.namespace}:" if one.namespace else namespace)
        elif not _is_a_tables(f"{namespace}{one.name or ''}"):
            yield f"{namespace}{one.name or ''}", one


def _is_a_tables(name: str) -> bool:
    of_tables = {f"admin:{label.replace('.', '_')}_{page}" for label in tables() for page in OF_A_TABLE}
    # Without a name the admin leads to a page of a table, or says that there is none.
    return name in of_tables or name == "admin:"


def tables() -> dict[str, Any]:
    return {model._meta.label_lower: its_admin for model, its_admin in admin.site._registry.items()}


def actions(its_admin: Any, request: Any) -> set[str]:
    """All actions that a superuser is offered."""
    return set(its_admin.get_actions(request))


def decisions() -> set[str]:
    """The buttons on an order's page at the desk."""
    from mcommerce.orders.admin.decisions import DECISIONS

    return {*DECISIONS}


def sockets(application: Any = None) -> Iterator[str]:
    """The paths of all sockets, through whatever is wrapped around them."""
    here = application or build_application().application_mapping["websocket"]
    for pattern in getattr(here, "routes", []):
        if hasattr(pattern.callback, "consumer_class") or (isfunction(pattern.callback) and str(pattern.pattern)):
            yield str(pattern.pattern)
        else:  # what has no path of its own leads on, or says that there is no such socket
            yield from sockets(pattern.callback)
    for inner in vars(here).values():
        if callable(inner) and not isclass(inner):
            yield from sockets(inner)


def undeclared() -> list[str]:
    """Everything that has no row in the table, each with what to do about it."""
    missing = [
        *(
            _say("ROUTES", name, "Route(get=ALL, post=NO_METHOD)")
            for name, _at in routes()
            if name not in access_table.ROUTES
        ),
        *(_say("DESK", label, "Desk()") for label in tables() if label not in access_table.DESK),
        *(_say("SOCKETS", path, "ALL") for path in dict.fromkeys(sockets()) if path not in access_table.SOCKETS),
        *(_say("DECISIONS", name, 'permission("...")') for name in decisions() if name not in access_table.DECISIONS),
    ]
    return missing


def left_over() -> list[str]:
    """Rows of what is no more."""
    there = {
        "ROUTES": {name for name, _at in routes()},
        "DESK": {*tables()},
        "SOCKETS": {*sockets()},
        "DECISIONS": {*decisions()},
    }
    return [
        f"{name}[{key!r}]" for name, keys in there.items() for key in getattr(access_table, name) if key not in keys
    ]


def _say(rows: str, key: str, example: str) -> str:
    file = access_table.file_of(_app_of(rows, key))
    return f"{file} does not say who may use it. Add to {rows}, with what it really needs:  {key!r}: {example},"


def _app_of(rows: str, key: str) -> str:
    """The label of the feature that has it, as its name says."""
    match rows:
        case "ROUTES":
            return key.partition(":")[0]
        case "DESK":
            return key.partition(".")[0]
        case "SOCKETS":
            return key.removeprefix("ws/").partition("/")[0]
    return "orders"  # all decisions are buttons on an order's page
