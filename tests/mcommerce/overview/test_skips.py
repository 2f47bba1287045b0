"""Staff let a paused group skip waiting events: they choose, are shown the number, say yes, and can undo it."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.models import BulkRun, OperatorAction, Progress
from eventbus.selections import bulk_runs
from tests.eventbus.bus_app import House, open_house
from tests.eventbus.busy_site import many, places
from tests.eventbus.skip_steps import paused_with, resumed
from tests.mcommerce.overview.test_failures import LOOK, OPERATE, page_of, say_yes, staff

MANY = 7
CHOICE = "bus-choose-skip"


@pytest.fixture
def house(db: None) -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def waiting(house: House) -> House:
    house.handler()
    paused_with(house, *many("vase", MANY))
    OperatorAction.objects.all().delete()
    return house


def partitions() -> list[str]:
    return [f"house/{row.partition}" for row in Progress.objects.filter(group="house-a")]


def choose(client: Client, **form: object) -> str:
    """Fill in the form; the address of the page that asks."""
    answer = client.post(reverse(CHOICE, args=["house-a"]), {"partitions": partitions(), **form})
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"])


def test_the_number_is_shown_before_anything_is_skipped(waiting: House) -> None:
    client = staff(LOOK, OPERATE)
    assert reverse(CHOICE, args=["house-a"]) in page_of(client, reverse("bus-groups"))

    url = choose(client, offset=5)

    question = page_of(client, url)
    assert 'id="events">5<' in question
    assert "Yes, skip 5<" in question
    assert (waiting.dead(), OperatorAction.objects.count()) == ([], 0)

    say_yes(client)
    resumed(waiting)

    assert waiting.seen(name="vase") == [6, 7]
    assert "5 of 5 are done." in page_of(client, url)
    assert url in page_of(client, reverse("bus-actions"))


def test_a_skip_is_undone_from_its_page(waiting: House) -> None:
    client = staff(LOOK, OPERATE)
    url = choose(client, time="2126-01-01T00:00")
    say_yes(client)
    resumed(waiting)
    assert places() == {"discarded": MANY}
    assert 'id="undo"' in page_of(client, url)

    client.post(reverse("bus-undo-run", args=[BulkRun.objects.get().pk]))
    say_yes(client)
    waiting.settle()

    assert waiting.seen(name="vase") == list(range(1, MANY + 1))
    assert not bulk_runs.undoable(BulkRun.objects.earliest("id")).exists()


def test_a_group_that_was_resumed_meanwhile_skips_nothing_and_the_page_says_why(waiting: House) -> None:
    client = staff(LOOK, OPERATE)
    url = choose(client, offset=5)
    resumed(waiting)

    answer = client.post(reverse("bus-begin-run", args=[BulkRun.objects.get().pk]), follow=True)

    assert "Pause group house-a first" in answer.content.decode()
    assert 'id="yes"' in page_of(client, url)
    assert "Pause it first" in page_of(client, reverse(CHOICE, args=["house-a"]))
    assert places() == {"handled": MANY}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({}, "Give a time or an offset."),
        ({"offset": "5", "time": "2026-01-01T00:00"}, "Give a time or an offset."),
        ({"offset": str(10**30)}, "Ensure this value is less than"),
        ({"offset": "5", "partitions": ["house/99"]}, "is not one of the available choices"),
        ({"time": "2001-01-01T00:00"}, "no event that this group would handle waits there"),
    ],
)
def test_a_wrong_choice_is_explained(waiting: House, form: dict[str, object], text: str) -> None:
    answer = staff(LOOK, OPERATE).post(reverse(CHOICE, args=["house-a"]), {"partitions": partitions(), **form})

    assert text in answer.content.decode()
    assert not BulkRun.objects.exists()
