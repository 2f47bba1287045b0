"""Staff let a group handle past events again: they choose, are shown the numbers, say yes, and see it done."""

import threading
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.models import OperatorAction, Progress, ReplayRun
from eventbus.processes.replay_schedule import ReplaySchedule
from tests.eventbus.bus_app import House, Mended, open_house
from tests.eventbus.busy_site import many
from tests.mcommerce.overview.test_failures import LOOK, OPERATE, page_of, staff

SAID = 7
CHOICE = "bus-choose-replay"


@pytest.fixture
def house(db: None) -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def projection(house: House) -> House:
    house.handler(replayable=True)
    house.say(*many("vase", SAID))
    house.settle()
    return house


def choose(client: Client, **form: object) -> str:
    """Fill in the form; the address of the page that asks."""
    answer = client.post(reverse(CHOICE, args=["house-a"]), form)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"])


def partitions() -> list[str]:
    return [f"house/{row.partition}" for row in Progress.objects.filter(group="house-a")]


def operate(client: Client, action: str) -> None:
    client.post(reverse("bus-operate-replay", args=[ReplayRun.objects.latest("id").pk, action]))


def carry_out() -> None:
    ReplaySchedule(threading.Event(), lambda: None).look()


def test_the_numbers_are_shown_before_anything_is_handled_again(projection: House) -> None:
    client = staff(LOOK, OPERATE)
    assert reverse(CHOICE, args=["house-a"]) in page_of(client, reverse("bus-groups"))

    url = choose(client, offset=2, partitions=partitions())
    carry_out()

    question = page_of(client, url)
    assert f'id="events">{SAID - 2}<' in question
    assert f"Yes, handle {SAID - 2} events again" in question
    assert len(projection.seen()) == SAID

    operate(client, "begin")
    carry_out()

    assert len(projection.seen()) == SAID + SAID - 2
    assert f"{SAID - 2} of {SAID - 2} events are handled." in page_of(client, url + "?part=state")
    assert list(OperatorAction.objects.values_list("who", "action", "count")) == [
        ("ada@example.org", "replay", SAID - 2)
    ]


def test_a_replay_is_stopped_and_goes_on(projection: House) -> None:
    client = staff(LOOK, OPERATE)
    url = choose(client, offset=0, partitions=partitions())
    operate(client, "begin")
    operate(client, "stop")
    carry_out()
    assert len(projection.seen()) == SAID

    assert 'id="go-on"' in page_of(client, url)
    operate(client, "resume")
    carry_out()

    assert len(projection.seen()) == 2 * SAID


def test_a_failed_replay_is_a_fault_that_leads_to_its_page_until_it_is_given_up(house: House) -> None:
    broken = Mended(error=ValueError("of a customer"))
    house.handler(call=broken, replayable=True)
    house.say(*many("vase", SAID))
    house.settle()
    client = staff(LOOK, OPERATE)
    url = choose(client, offset=0, partitions=partitions())
    operate(client, "begin")
    broken.names.add("vase")
    carry_out()

    overview = page_of(client, "/eventbus/")
    assert "A replay of group house-a has failed, or is stuck" in overview
    assert f'href="{url}"' in overview
    assert "of a customer" not in overview + page_of(client, url), "who may not look into payloads"
    assert "of a customer" in page_of(staff(LOOK, "view_payload", name="grace"), url)

    operate(client, "stop")

    assert "A replay of group" not in page_of(client, "/eventbus/")
    run = ReplayRun.objects.get()
    assert f'href="{url}">replay {run.pk}</a>' in page_of(client, reverse("bus-actions"))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({}, "Give a time or an offset."),
        ({"offset": "0", "time": "2026-01-01T00:00"}, "Give a time or an offset."),
        ({"time": "yesterday"}, "Enter a valid date/time."),
        ({"offset": str(10**30)}, "Ensure this value is less than"),
        ({"offset": "0", "partitions": ["house/99"]}, "is not one of the available choices"),
        ({"time": "2126-01-01T00:00"}, "no event that the group has handled matches"),
    ],
)
def test_a_wrong_choice_is_explained(projection: House, form: dict[str, object], text: str) -> None:
    answer = staff(LOOK, OPERATE).post(reverse(CHOICE, args=["house-a"]), {"partitions": partitions(), **form})

    assert text in answer.content.decode()
    assert not ReplayRun.objects.exists()
