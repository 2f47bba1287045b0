"""Staff without `view_payload` learn no payload in the admin: no page shows it, and no filter or search tells it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from eventbus import Permanent, clock
from eventbus.admin.roles import WITHHELD
from eventbus.failures import circuit_breaker
from eventbus.models import ConsumerGroup, DeadLetter, OperatorAction, OutboxRow, ParkedEvent, ParkedKey, ReplayRun
from tests.eventbus.bus_app import House, Noted, open_house
from tests.eventbus.test_admin import listed, shown, staff

SECRET = "4711471147"  # in every payload, and in every error
TABLES = ("outboxrow", "deadletter", "parkedkey", "parkedevent", "consumergroup", "operatoraction", "replayrun")
LOOKS = tuple(f"view_{table}" for table in TABLES)


@pytest.fixture
def house(db: None) -> Iterator[House]:
    """The secret is in a dead letter, behind its key, in the reason of a circuit breaker, and in the audit trail."""

    def handle(event: Noted) -> None:
        raise Permanent(f"{event.number} is no number of ours")

    with open_house() as house:
        house.handler(call=handle)
        house.say(("vase", int(SECRET)), ("vase", int(SECRET)))
        house.settle()
        circuit_breaker.trip("house-a", f"1 of 1 failed: {SECRET}")
        OutboxRow.objects.update(rejected=f"refused {SECRET}")
        about: Any = {"group": "house-a", "error": SECRET, "who": "ada"}
        OperatorAction.objects.create(**about, at=clock.now(), action="resend")
        ReplayRun.objects.create(**about, began_at=clock.now(), state="failed")
        yield house


def rows() -> list[Any]:
    group = ConsumerGroup.objects.get(name="house-a")
    return [
        group,
        *(model.objects.get() for model in (DeadLetter, ParkedKey, ParkedEvent, OperatorAction, ReplayRun)),
        OutboxRow.objects.first(),
    ]


def test_every_page_withholds_what_an_event_contains(house: House) -> None:
    client = staff(*LOOKS)

    for row in rows():
        assert SECRET not in shown(client, row), row._meta.model_name
        assert SECRET not in listed(client, row._meta.model_name), row._meta.model_name


def test_who_may_look_into_payloads_sees_them(house: House) -> None:
    client = staff(*LOOKS, "view_payload")

    for row in rows():
        assert SECRET in shown(client, row), row._meta.model_name


@pytest.mark.parametrize("lookup", ["contains", "startswith", "regex", "gt", "isnull", ""])
@pytest.mark.parametrize("path", ["error", "traceback", "payload", "headers", "parked_key__error", "events__payload"])
def test_no_filter_tells_whether_a_payload_has_a_text(house: House, path: str, lookup: str) -> None:
    client = staff(*LOOKS)
    name = f"{path}__{lookup}".removesuffix("__")

    for table in ("deadletter", "parkedkey", "parkedevent"):
        page = client.get(reverse(f"admin:eventbus_{table}_changelist"), {name: SECRET})
        assert page.status_code == 400 or "e=1" in page.headers.get("Location", ""), f"{table}?{name}"


def test_no_search_and_no_order_reads_a_payload() -> None:
    tables = [model for model in apps.get_app_config("eventbus").get_models() if admin.site.is_registered(model)]

    for model in tables:
        searched = {part for field in admin.site.get_model_admin(model).search_fields for part in field.split("__")}
        assert not searched & set(WITHHELD), model._meta.model_name


def test_no_order_of_a_list_tells_a_withheld_column(house: House) -> None:
    client: Client = staff(*LOOKS)

    page = client.get(reverse("admin:eventbus_consumergroup_changelist"))

    assert "breaker_reason" not in page.context_data["cl"].list_display  # `?o=` counts the columns that are shown
