"""Staff decide about what the log refuses."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.models import OperatorAction, OutboxRow
from tests.eventbus.bus_app import House, open_house
from tests.eventbus.test_admin import listed, staff


@pytest.fixture
def house(db: None) -> Iterator[House]:
    """One thread is enough here, so each test's transaction is simply undone."""
    with open_house() as house:
        yield house


@pytest.fixture
def vases(house: House) -> list[OutboxRow]:
    """Two that the log refused, the first with one more event behind it; a chair is in the log."""
    house.handler()
    house.say(("vase", 1), ("vase", 2), ("cup", 1), ("chair", 1))
    rows = list(OutboxRow.objects.order_by("id"))
    OutboxRow.objects.filter(id__in=[rows[0].pk, rows[2].pk]).update(rejected="too large")
    house.settle()
    return rows


def act(client: Client, action: str, *rows: OutboxRow) -> str:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows], "confirmed": "1"}
    return client.post(reverse("admin:eventbus_outboxrow_changelist"), chosen, follow=True).content.decode()


def test_a_vase_is_offered_again_and_a_cup_withdrawn(house: House, vases: list[OutboxRow]) -> None:
    client = staff("view_outboxrow", "operate")
    vase, _, cup, _ = vases

    assert "1 event is offered again." in act(client, "resend", vase)
    assert "1 event is withdrawn." in act(client, "withdraw", cup)
    house.settle()

    assert house.seen(name="vase") == [1, 2]
    assert house.seen(name="cup") == []
    assert [(left.who, left.action, left.key) for left in OperatorAction.objects.order_by("id")] == [
        ("ada@example.org", "resend", "vase"),
        ("ada@example.org", "withdraw", "cup"),
    ]


def test_what_is_not_refused_is_told_and_stops_no_other(
    house: House,
    vases: list[OutboxRow],
    admin_client: Client,
) -> None:
    page = act(admin_client, "withdraw", *vases)

    assert "2 were refused. The first: The log did not reject event" in page
    assert "2 events are withdrawn." in page


@pytest.mark.parametrize("action", ["resend", "withdraw"])
def test_who_may_only_look_decides_nothing(house: House, vases: list[OutboxRow], action: str) -> None:
    client = staff("view_outboxrow")

    assert "cup" in listed(client, "outboxrow")
    act(client, action, vases[0])

    assert not OperatorAction.objects.exists()
    assert OutboxRow.objects.filter(rejected="too large", withdrawn_at=None).count() == 2
