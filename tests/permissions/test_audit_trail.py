"""Every action on the bus leaves its row in the audit trail: those of the admin, and those of the pages."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import reverse

from eventbus.models import OperatorAction
from mcommerce.accounts.models import User
from tests.permissions import access_table, inventory, operator_rows, sample_rows
from tests.permissions.operator_rows import CAUSE

# They only store a selection, to which the operator has still to say yes.
FREEZES = {"bus-select", "bus-undo-run", "bus-choose-replay", "bus-choose-skip"}


@pytest.fixture
def root(db: None) -> Client:
    User.objects.create_user("customer@example.com")  # whom sample rows are about
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "first password"))
    return client


def test_every_action_of_the_admin_is_in_the_trail(root: Client, tmp_path: Any) -> None:
    request = RequestFactory().get("/")
    request.user = User.objects.get(is_superuser=True)
    tried = []
    for label, its_admin in inventory.tables().items():
        if not label.startswith("eventbus."):
            continue
        for action in inventory.actions(its_admin, request):
            with transaction.atomic():
                row = sample_rows.row(its_admin.model)
                values = access_table.DESK[label].rows.get(action, {})
                its_admin.model.objects.filter(pk=row.pk).update(**values)
                form = {"action": action, "_selected_action": [str(row.pk)], "confirmed": "1"}
                root.post(reverse(f"admin:{label.replace('.', '_')}_changelist"), form)
                found = list(OperatorAction.objects.values_list("who", "action"))
                transaction.set_rollback(True)
            tried.append((label, action))
            if (label, action) not in NOTHING_TO_DO:
                assert found == [("root@example.com", action)], f"{label} {action}"

    assert len(tried) >= 11


# A sample row stands for no event that a group has lost or ignored; tests/eventbus/contract_repairs.py and
# test_admin_bulk.py have such events, and find their rows.
NOTHING_TO_DO = {("eventbus.consumergroup", "redeliver"), ("eventbus.ignoredtype", "redeliver")}


def test_every_form_of_the_pages_is_in_the_trail(root: Client, tmp_path: Any) -> None:
    names = sample_rows.names(tmp_path)
    acting = {
        name: pattern
        for name, pattern in inventory.routes()
        if name.startswith("bus-") and not access_table.ROUTES[name].post.no_method
    }
    assert acting.keys() > FREEZES

    for name, pattern in acting.items():
        row = access_table.ROUTES[name]
        url = reverse(name, kwargs={one: names[one] for one in names if f":{one}>" in pattern})
        with transaction.atomic():
            before = OperatorAction.objects.count()
            root.post(url, row.data(root) if callable(row.data) else row.data)
            written = OperatorAction.objects.count() - before
            transaction.set_rollback(True)
        assert written == (name not in FREEZES), name


def test_a_selection_is_in_the_trail_from_the_moment_of_its_yes(root: Client, tmp_path: Any) -> None:
    sample_rows.names(tmp_path)
    root.post(reverse("bus-select", args=[CAUSE]), operator_rows.select(root))
    assert not OperatorAction.objects.exists()

    run = operator_rows.BulkRun.objects.latest("id")
    root.post(reverse("bus-begin-run", args=[run.pk]))

    page = root.get(reverse("bus-actions")).content.decode()
    assert reverse("bus-run", args=[run.pk]) in page
    assert "root@example.com" in page
