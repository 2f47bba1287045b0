"""Everything on the site x everybody who may come: the table says who gets in, and nobody else does."""

import re
from collections.abc import Iterable
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import RequestFactory
from django.urls import reverse

from mcommerce.accounts.models import User
from tests.permissions import access_table, inventory, sample_rows
from tests.permissions.access_needs import ALL, Need, Route, permission
from tests.permissions.attempts import Matrix
from tests.permissions.visitors import everybody

ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")  # of a pattern, as a path or an expression writes it

pytestmark = pytest.mark.django_db


def app_of(route: str) -> str:
    """The app that has a route, so that `-k` picks one; others are the site's."""
    return route.partition(":")[0] if ":" in route else "site"


@pytest.fixture
def matrix(db: None, settings: Any, tmp_path: Path, bus_clock: Any) -> Matrix:
    """All who may come. The clock is held: on a busy machine a table takes minutes, and no relay runs meanwhile."""
    settings.STATIONS_PRODUCER_OPEN = False
    settings.MEDIA_ROOT = tmp_path
    return Matrix(everybody())


def test_everything_has_a_row_in_the_table() -> None:
    assert not inventory.undeclared(), "\n" + "\n".join(inventory.undeclared())
    assert not inventory.left_over(), f"{inventory.TABLE} has rows of what is no more: {inventory.left_over()}"


@pytest.mark.parametrize(
    ("rows", "key", "file"),
    [
        ("ROUTES", "orders:order", "tests/mcommerce/orders/access_rows.py"),
        ("DESK", "auth.group", "tests/permissions/access_table.py"),
        ("SOCKETS", "ws/stations/", "tests/stations/access_rows.py"),
        ("DECISIONS", "cancel", "tests/mcommerce/orders/access_rows.py"),
    ],
)
def test_what_has_no_row_is_named_with_what_to_add(
    rows: str, key: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(getattr(access_table, rows), key)

    [said] = [one for one in inventory.undeclared() if repr(key) in one]

    assert said.startswith(f"{file} does not say who may use it. Add to {rows}")


def test_a_page_whose_script_fetches_a_part_of_it_names_the_part_in_its_row() -> None:
    parted = {name for name, view in inventory.views() if "in request.GET" in getsource(view)}

    assert {"orders:order", "overview"} <= parted
    assert [name for name in parted if not access_table.ROUTES[name].parts] == []


def test_a_row_of_what_is_no_more_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(access_table.ROUTES, "orders:gone", Route(get=ALL))

    assert "ROUTES['orders:gone']" in inventory.left_over()


@pytest.mark.parametrize("app", sorted({app_of(name) for name, _pattern in inventory.routes()}))
def test_every_route_lets_in_whom_its_row_names(app: str, matrix: Matrix, tmp_path: Path) -> None:
    names = sample_rows.names(tmp_path)
    for name, pattern in declared(one for one in inventory.routes() if app_of(one[0]) == app):
        url = reverse(name, kwargs=arguments_of(name, pattern, names))
        row = access_table.ROUTES[name]
        for part in ("", *row.parts):
            matrix.row(f"{name}{part}", "GET", f"{url}{part}", row.get)
        matrix.row(name, "POST", url, row.post, row.data)

    assert matrix.deviations == [], "\n".join(matrix.deviations)


@pytest.mark.parametrize("app", sorted({label.partition(".")[0] for label in inventory.tables()}))
def test_every_table_of_the_desk_lets_in_whom_its_row_names(app: str, matrix: Matrix, tmp_path: Path) -> None:
    sample_rows.names(tmp_path)
    for label, its_admin in inventory.tables().items():
        if label.partition(".")[0] != app:
            continue
        row, name = access_table.DESK[label], f"admin:{label.replace('.', '_')}"
        see, one = seen_by(label), sample_of(its_admin.model).pk
        for page, looks, posts, data in (
            ("add", row.add, row.add, row.data),
            ("change", see, row.change, row.data),
            ("delete", row.delete, row.delete, {"post": "yes"}),
        ):
            url = reverse(f"{name}_{page}", args=[one] if page != "add" else [])
            matrix.row(f"{name}_{page}", "GET", url, looks)
            matrix.row(f"{name}_{page}", "POST", url, posts, data)
        matrix.row(f"{name}_history", "GET", reverse(f"{name}_history", args=[one]), see)
        matrix.row(f"{name}_changelist", "GET", reverse(f"{name}_changelist"), see)

    assert matrix.deviations == [], "\n".join(matrix.deviations)


def test_every_action_of_the_desk_is_done_by_whom_its_row_names(matrix: Matrix, tmp_path: Path) -> None:
    sample_rows.names(tmp_path)
    request = RequestFactory().get("/")
    request.user = User.objects.get(email="root@example.com")
    for label, its_admin in inventory.tables().items():
        declared = access_table.DESK[label].actions
        assert inventory.actions(its_admin, request) == {*declared}, (
            f"{inventory.TABLE}, DESK[{label!r}]: mend its actions"
        )
        for action, need in declared.items():
            sample, values = sample_of(its_admin.model), access_table.DESK[label].rows.get(action, {})
            chosen = {"action": action, "_selected_action": [str(sample.pk)]}
            url = reverse(f"admin:{label.replace('.', '_')}_changelist")
            with transaction.atomic():
                its_admin.model.objects.filter(pk=sample.pk).update(**values)
                matrix.row(f"{label} {action}", "POST", url, needing_both(seen_by(label), need), chosen)
                transaction.set_rollback(True)
            matrix.cast.given.clear()  # it is rolled back, too

    assert matrix.deviations == [], "\n".join(matrix.deviations)


def test_every_button_of_an_order_is_pressed_by_whom_its_row_names(matrix: Matrix) -> None:
    order = sample_rows.order_of_the_customer()
    for name, need in access_table.DECISIONS.items():
        url = reverse("admin:orders_order_decide", args=[order.pk, name])
        for method in ("GET", "POST"):
            matrix.row(f"decide {name}", method, url, permission("orders.view_order") & need)

    assert matrix.deviations == [], "\n".join(matrix.deviations)


# --- how it is tried -----------------------------------------------------------------------------------------------


def declared(routes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those with a row; another test names the others."""
    return [(name, pattern) for name, pattern in routes if name in access_table.ROUTES]


def arguments_of(name: str, pattern: str, names: dict[str, Any]) -> dict[str, Any]:
    """What stands in the address. Of several that are called alike, the route's own."""
    own = {"admin:orders_order_decide": {"name": "cancel"}}.get(name, {})
    wanted = set(ARGUMENT.findall(pattern))
    known = {**names, **own}
    file = access_table.file_of(name.partition(":")[0])
    assert wanted <= known.keys(), f"{file}: let names(tmp_path) return one of {wanted - known.keys()}, for {name}"
    return {key: known[key] for key in wanted}


def seen_by(label: str) -> Need:
    app, model = label.split(".")
    return access_table.DESK[label].see or permission(f"{app}.view_{model}", f"{app}.change_{model}")


def needing_both(see: Need, act: Need) -> Need:
    """An action is offered on a list that one must see."""
    return see & act if act.clauses else act


def sample_of(model: Any) -> Any:
    """A row of it; of people, a customer's."""
    if model is User:
        return User.objects.get(email="customer@example.com")
    return sample_rows.row(model)
