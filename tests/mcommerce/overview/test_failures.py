"""Staff see failures by cause, act on exactly those that they were shown, and undo a discard; the trail has it all."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from eventbus import Permanent
from eventbus.models import BulkRun, DeadLetter, OperatorAction
from eventbus.selections import bulk_runs
from tests.eventbus.bus_app import House, Mended, open_house
from tests.eventbus.busy_site import many, places

SHOWN, MORE = 7, 3
LOOK, SEE, OPERATE = "view_progress", "view_payload", "operate"


@pytest.fixture
def house(db: None) -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def broken(house: House) -> Mended:
    broken = Mended("vase", error=Permanent("no number 4711471147"))
    house.handler(call=broken, on_dead="skip")
    house.say(*many("vase", SHOWN))
    house.settle()
    return broken


def staff(*permissions: str, name: str = "ada") -> Client:
    person = get_user_model().objects.create_user(f"{name}@example.org", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(person)
    return client


def page_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def cause() -> str:
    return DeadLetter.objects.values_list("cause", flat=True)[0]


def choose(client: Client, page: str, action: str) -> str:
    """Choose an action on the page of a cause as it was shown; the address of the page that asks."""
    shown = re.search(r'name="shown" value="([^"]*)"', page)
    assert shown
    answer = client.post(reverse("bus-select", args=[cause()]), {"action": action, "shown": shown[1]})
    return str(answer["Location"])


def say_yes(client: Client) -> BulkRun:
    run = BulkRun.objects.latest("id")
    client.post(reverse("bus-begin-run", args=[run.pk]))
    while bulk_runs.is_due():
        bulk_runs.step()
    run.refresh_from_db()
    return run


def test_failures_are_shown_by_cause_with_their_number_and_their_line(house: House, broken: Mended) -> None:
    page = page_of(staff(LOOK), reverse("bus-failures"))

    assert f"{SHOWN} dead letters" in page
    assert "house-a" in page
    assert "tests.eventbus.bus_app.Mended.__call__:" in page


def test_a_retry_takes_those_that_were_shown_once_the_operator_has_seen_their_number(
    house: House, broken: Mended
) -> None:
    client = staff(LOOK, OPERATE)
    shown = page_of(client, reverse("bus-failure", args=[cause()]))
    assert f"All {SHOWN} letters, and none that comes in later:" in shown
    house.say(*(("vase", number) for number in range(1_000, 1_000 + MORE)))
    house.settle()
    broken.names.clear()

    question = page_of(client, choose(client, shown, "requeue"))
    assert f"Yes, retry {SHOWN}" in question
    run = say_yes(client)
    waiting = page_of(client, reverse("bus-run", args=[run.pk]))
    assert f'max="{SHOWN}" value="0"' in waiting
    house.settle()

    assert f'max="{SHOWN}" value="{SHOWN}"' in page_of(client, reverse("bus-run", args=[run.pk]) + "?part=state")
    assert places() == {"handled": SHOWN, "skipped": MORE}


def test_a_discard_is_undone_from_its_page_once(house: House, broken: Mended) -> None:
    client = staff(LOOK, OPERATE)
    choose(client, page_of(client, reverse("bus-failure", args=[cause()])), "discard")
    run = say_yes(client)
    url = reverse("bus-run", args=[run.pk])
    assert 'id="undo"' not in page_of(client, url)  # workers have still to carry it out
    house.settle()
    assert places() == {"discarded": SHOWN}
    assert 'id="undo"' in page_of(client, url)

    client.post(reverse("bus-undo-run", args=[run.pk]))
    say_yes(client)
    house.settle()

    assert places() == {"skipped": SHOWN}
    page = page_of(client, url)
    assert 'id="undo"' not in page
    assert "ada@example.org has undone it." in page
    again = client.post(reverse("bus-undo-run", args=[run.pk]), follow=True).content.decode()
    assert "This discard was undone already." in again


def test_another_operator_cannot_say_yes(house: House, broken: Mended) -> None:
    choose(client := staff(LOOK, OPERATE), page_of(client, reverse("bus-failure", args=[cause()])), "discard")

    run = say_yes(staff(LOOK, OPERATE, name="grace"))

    assert run.state == BulkRun.State.FROZEN
    assert not OperatorAction.objects.exists()


@pytest.mark.parametrize("forged", ["", "1-99999999999", "5-1", "x"])
def test_a_forged_selection_is_refused(house: House, broken: Mended, forged: str) -> None:
    client = staff(LOOK, OPERATE)

    page = client.post(
        reverse("bus-select", args=[cause()]), {"action": "discard", "shown": forged}, follow=True
    ).content.decode()

    assert "The page does not say which letters it showed." in page
    assert not BulkRun.objects.exists()


def exported(client: Client, house: House) -> tuple[BulkRun, list[dict[str, Any]]]:
    choose(client, page_of(client, reverse("bus-failure", args=[cause()])), "export")
    run = say_yes(client)
    answer = client.get(reverse("bus-export", args=[run.pk]))
    return run, [json.loads(line) for line in answer.getvalue().splitlines()]


def test_an_export_has_a_line_for_each_letter_with_its_payload(house: House, broken: Mended) -> None:
    _run, lines = exported(staff(LOOK, OPERATE, SEE), house)

    assert [json.loads(one["payload"])["number"] for one in lines] == [number for _, number in many("vase", SHOWN)]
    assert {one["error"] for one in lines} == {"no number 4711471147"}
    assert [one["action"] for one in OperatorAction.objects.values("action")] == ["export"]


def test_nobody_without_the_right_reads_payloads_or_error_texts(house: House, broken: Mended) -> None:
    client = staff(LOOK, OPERATE)
    _run, lines = exported(client, house)

    assert len(lines) == SHOWN
    assert "4711471147" not in json.dumps(lines)
    for name in ("bus-failures", "bus-actions", "bus-breakers"):
        assert "4711471147" not in page_of(client, reverse(name))
    assert "4711471147" not in page_of(client, reverse("bus-failure", args=[cause()]))
    assert "4711471147" in page_of(staff(LOOK, SEE, name="grace"), reverse("bus-failure", args=[cause()]))


def test_a_discard_with_parked_events_asks_with_the_exact_number(house: House) -> None:
    house.handler(call=Mended("vase", error=Permanent("poison")))
    house.say(*many("vase", SHOWN))
    house.settle()
    client = staff(LOOK, OPERATE)
    shown = re.search(r'name="shown" value="([^"]*)"', page_of(client, reverse("bus-failure", args=[cause()])))
    assert shown
    chosen = {"action": "discard", "shown": shown[1], "with_parked": "1"}

    question = page_of(client, client.post(reverse("bus-select", args=[cause()]), chosen)["Location"])

    assert f"with {SHOWN - 1} events that were parked behind them at that time" in question
    assert f"Yes, discard {SHOWN}<" in question
    say_yes(client)
    house.settle()
    assert places() == {"discarded": SHOWN}
