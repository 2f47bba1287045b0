"""Staff decide about many at once: about those that the page showed, once they have said yes, and with a way back."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from eventbus import Permanent
from eventbus.ids import uuid7
from eventbus.models import DeadLetter, IgnoredType, OperatorAction, ParkedEvent
from tests.eventbus.bus_app import House, Mended, Unknown, open_house
from tests.eventbus.busy_site import many, places
from tests.eventbus.contract.test_dead_letters import NEW, give, learn, release_that_knows
from tests.eventbus.test_admin import listed, staff

SHOWN, MORE = 105, 12  # a page of the desk holds a hundred
HUNDREDS = 300
THOUSANDS = 2_000
STATEMENTS_MAX = 80  # for two thousand letters: they are decided about by the hundred


@pytest.fixture
def house(db: None) -> Iterator[House]:
    """One thread is enough here, so each test's transaction is simply undone."""
    with open_house() as house:
        yield house


@pytest.fixture
def broken(house: House) -> Mended:
    """Whatever is told of a vase dies and stands aside."""
    broken = Mended("vase", error=Permanent("poison"))
    house.handler(call=broken, on_dead="skip")
    house.say(*many("vase", SHOWN))
    house.settle()
    return broken


@pytest.fixture
def parked(house: House) -> Mended:
    """The vase died at 1, and hundreds wait behind it."""
    broken = Mended("vase", error=Permanent("poison"))
    house.handler(call=broken)
    house.say(*many("vase", HUNDREDS))
    house.settle()
    assert ParkedEvent.objects.count() == HUNDREDS - 1
    return broken


def address(table: str) -> str:
    return reverse(f"admin:eventbus_{table}_changelist")


def hidden(page: str) -> dict[str, str]:
    """What a page's form sends by itself."""
    fields = [field for field in re.findall(r"<input[^>]*>", page) if 'type="hidden"' in field]
    named = [(re.search(r'name="([^"]+)"', one), re.search(r'value="([^"]*)"', one)) for one in fields]
    return {name[1]: value[1] for name, value in named if name and value and name[1] != "csrfmiddlewaretoken"}


def choose_all(client: Client, page: str, action: str, table: str = "deadletter") -> str:
    """Press "Select all" on a list as it was shown, and "Go"; what comes then."""
    first = re.search(r'name="_selected_action" value="(\d+)"', page)
    assert first
    form = {"action": action, "select_across": "1", "index": "0", "_selected_action": first[1], **hidden(page)}
    form |= {"select_across": "1"}
    return client.post(address(table), form, follow=True).content.decode()


def say_yes(client: Client, page: str, table: str = "deadletter", **more: str) -> str:
    return client.post(address(table), {**hidden(page), **more}, follow=True).content.decode()


def test_all_means_those_that_the_page_showed(house: House, broken: Mended, admin_client: Client) -> None:
    page = listed(admin_client, "deadletter")
    assert f"Select all {SHOWN} dead letters" in page
    house.say(*(("vase", number) for number in range(1_000, 1_000 + MORE)))
    house.settle()

    question = choose_all(admin_client, page, "discard")
    assert f"Let {SHOWN} dead letters go?" in question
    assert not OperatorAction.objects.exists()
    answer = say_yes(admin_client, question)
    house.settle()

    assert f"Asked to discard {SHOWN} events." in answer
    assert places() == {"discarded": SHOWN, "skipped": MORE}
    broken.names.clear()
    choose = listed(admin_client, "deadletter", state__exact="open")
    act_on_page(admin_client, choose, "requeue")
    house.settle()
    assert sorted(house.seen(name="vase")) == list(range(1_000, 1_000 + MORE))


def act_on_page(client: Client, page: str, action: str) -> None:
    ids = re.findall(r'name="_selected_action" value="(\d+)"', page)
    client.post(address("deadletter"), {"action": action, "_selected_action": ids}, follow=True)


def test_a_list_that_does_not_say_what_it_showed_has_nothing_discarded(
    house: House, broken: Mended, admin_client: Client
) -> None:
    for forged in ("", "1-99999999999", "5-1", "x", "1,1", "-"):
        form = {"action": "discard", "select_across": "1", "_selected_action": "1", "shown": forged, "confirmed": "1"}
        page = admin_client.post(address("deadletter"), form, follow=True).content.decode()
        assert "The list does not say which it showed." in page

    assert not OperatorAction.objects.exists()


def test_a_discard_is_undone_at_the_desk(house: House, broken: Mended, admin_client: Client) -> None:
    question = choose_all(admin_client, listed(admin_client, "deadletter"), "discard")
    answer = say_yes(admin_client, question)
    house.settle()
    link = re.search(r'href="[^"]*\?(decision)=(\d+)"', answer)
    assert link

    page = listed(admin_client, "deadletter", decision=link[2])
    say_yes(admin_client, choose_all(admin_client, page, "restore"))
    house.settle()
    assert places() == {"skipped": SHOWN}

    broken.names.clear()
    say_yes(admin_client, choose_all(admin_client, listed(admin_client, "deadletter"), "requeue"))
    house.settle()
    assert sorted(house.seen(name="vase")) == list(range(1, SHOWN + 1))


def test_hundreds_of_one_key_are_discarded_in_one_decision(house: House, parked: Mended, admin_client: Client) -> None:
    [letter] = house.dead()

    chosen = {"action": "discard", "_selected_action": [str(letter.pk)]}
    question = admin_client.post(address("deadletter"), chosen).content.decode()
    assert f"And the {HUNDREDS - 1} events that are parked behind them" in question
    say_yes(admin_client, question, with_parked="1")
    house.settle()

    assert places() == {"discarded": HUNDREDS}
    house.say(("vase", 9_999))
    parked.names.clear()
    house.settle()
    assert house.seen(name="vase") == [9_999]


@pytest.mark.parametrize("action", ["discard", "requeue"])
def test_thousands_are_asked_for_in_a_few_statements(house: House, admin_client: Client, action: str) -> None:
    house.handler(call=Mended("vase", error=Permanent("poison")), on_dead="skip")
    house.say(("vase", 1))
    house.settle()
    for other in (copies := [DeadLetter.objects.get() for _ in range(THOUSANDS - 1)]):
        other.pk, other.event_id = None, uuid7()
    DeadLetter.objects.bulk_create(copies)
    question = choose_all(admin_client, listed(admin_client, "deadletter"), action)

    with CaptureQueriesContext(connection) as asked:
        answer = say_yes(admin_client, question)

    assert f"Asked to {action} {THOUSANDS} events." in answer
    assert DeadLetter.objects.filter(request=action).count() == THOUSANDS
    assert OperatorAction.objects.count() == THOUSANDS
    assert len(asked) < STATEMENTS_MAX


def test_staff_have_handled_what_an_older_release_ignored(house: House) -> None:
    client = staff("view_ignoredtype", "operate")
    house.handler()
    give(house, "vase", "chair")
    house.settle()
    assert "Deploy the release that knows this type" in listed(client, "ignoredtype")

    with release_that_knows(NEW):
        learn(house, Unknown, NEW)
        assert "Redeliver: the group handles this type now." in listed(client, "ignoredtype")
        ids = [str(pk) for pk in IgnoredType.objects.values_list("pk", flat=True)]
        chosen = {"action": "redeliver", "_selected_action": ids}
        page = client.post(address("ignoredtype"), chosen, follow=True).content.decode()
        house.settle()

    assert "Group house-a is handed 2 events." in page
    assert sorted(house.seen()) == [("chair", 0), ("vase", 0)]
    assert {action.who for action in OperatorAction.objects.all()} == {"ada@example.org"}


def test_who_may_only_look_is_offered_no_repair(house: House, broken: Mended) -> None:
    client: Any = staff("view_deadletter", "view_consumergroup", "view_ignoredtype")

    for table in ("deadletter", "consumergroup", "ignoredtype"):
        assert 'value="re' not in listed(client, table)
