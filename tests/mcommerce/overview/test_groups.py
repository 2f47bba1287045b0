"""Staff see which group is behind, who reads for it, and pause or resume it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import Permanent, clock
from eventbus.models import ConsumerGroup, OperatorAction, OutboxRow, ProcessRow, Progress
from tests.eventbus.bus_app import House, Mended

PAGE = "/eventbus/groups/"

pytestmark = pytest.mark.django_db(transaction=True)


def card(client: Client, group: str) -> str:
    """The part of the page about a group."""
    html = client.get(PAGE, {"part": "state"}).content.decode()
    [found] = [one for one in html.split("<section") if f'id="group-{group}"' in one]
    return found


def test_a_group_shows_its_members_partitions_and_offsets(operator: Client, house: House) -> None:
    house.handler("house-a")
    ProcessRow.objects.update(assignment={"house-a": ["house/0", "house/1"]})
    house.say(("vase", 1))
    house.settle()

    found = card(operator, "house-a")

    assert "all here/1 (house/0-1)" in found
    assert found.count('<th scope="row">house</th>') == 4
    assert "No process reads" not in found


def test_a_group_that_stands_is_behind_in_events_and_seconds_and_falls_further(operator: Client, house: House) -> None:
    house.handler("house-a")
    house.say(("vase", 1))
    house.settle()
    house.say(("vase", 2), ("vase", 3))
    ConsumerGroup.objects.filter(name="house-a").update(paused_at=clock.now(), paused_by="ada")
    house.settle()
    minute_ago = clock.now() - timedelta(seconds=60)
    OutboxRow.objects.filter(topic="house").update(appended_at=minute_ago)
    Progress.objects.filter(group="house-a").update(moved_at=minute_ago)

    found = card(operator, "house-a")

    assert "<dd>2</dd>" in found
    assert "<dd>60 " in found and "grows" in found
    assert "bus-state--paused" in found and "by ada" in found


def test_failures_lead_to_the_lists_that_have_the_remedy(
    operator: Client, staff_with: Callable[..., Client], house: House
) -> None:
    house.handler("house-a", Mended("vase", error=Permanent("poison")))
    house.say(("vase", 1))
    house.settle()
    link = f'<a href="{reverse("admin:eventbus_deadletter_changelist")}?group=house-a">1</a>'

    assert link in card(staff_with("view_progress", "view_deadletter"), "house-a")
    assert link not in card(operator, "house-a")


def test_pausing_asks_first_then_pauses_and_is_in_the_audit_trail(staff_with: Callable[..., Client]) -> None:
    client = staff_with("view_progress", "operate")
    url = reverse("bus-operate-group", args=["mail", "pause"])
    assert url in card(client, "mail")

    asked = client.get(url)

    assert "Pause group mail?" in asked.content.decode()
    assert ConsumerGroup.objects.get(name="mail").paused_at is None

    done = client.post(url, follow=True)

    assert "Group mail is paused." in done.content.decode()
    group = ConsumerGroup.objects.get(name="mail")
    assert group.paused_at is not None
    [action] = OperatorAction.objects.all()
    assert (action.action, action.group, action.who) == ("pause", "mail", group.paused_by)


def test_an_open_circuit_breaker_is_closed_by_hand(operator: Client, staff_with: Callable[..., Client]) -> None:
    client = staff_with("view_progress", "view_payload", "operate")
    ConsumerGroup.objects.filter(name="mail").update(breaker_opened_at=clock.now(), breaker_reason="7 of 10 failed")
    url = reverse("bus-operate-group", args=["mail", "resume"])
    assert url in card(client, "mail") and "7 of 10 failed" in card(client, "mail")
    assert "7 of 10 failed" not in card(operator, "mail"), "a reason may quote what an event contains"

    client.post(url)

    assert ConsumerGroup.objects.get(name="mail").breaker_opened_at is None


def test_who_was_signed_out_is_led_to_the_sign_in_page(client: Client) -> None:
    answer = client.get(PAGE, {"part": "state"}, headers={"HX-Request": "true"})

    assert (answer.status_code, answer["HX-Refresh"]) == (401, "true")
