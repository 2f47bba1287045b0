"""A group reads events of an older version in the present shape."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from eventbus import Event, backends, handles, registry
from eventbus.checks.declarations import check_events
from eventbus.consuming.ignored_types import is_known
from eventbus.errors import WrongDeclaration
from eventbus.models import DeadLetter, OutboxRow
from eventbus.progress import group_starts
from eventbus.publishing.outbox import publish
from eventbus.testing import settle
from tests.eventbus.bus_app import open_house

pytestmark = pytest.mark.django_db(transaction=True)


def with_currency(old: dict[str, Any]) -> dict[str, Any]:
    return {"till": old["till"], "amount": old["cents"], "currency": "EUR"}


def with_place(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "town": "Lyon"}


class TillOpened(
    Event, name="till.opened", topic="tills", key="till", version=3, upcasts={1: with_currency, 2: with_place}
):
    till: str
    amount: int
    currency: str
    town: str


@pytest.fixture
def heard(transactional_db: None) -> Iterator[list[TillOpened]]:
    """What a group of its own has handled."""
    found: list[TillOpened] = []
    with open_house():

        @handles(TillOpened, group="tills")
        def keep(event: TillOpened) -> None:
            found.append(event)

        group_starts.ensure(backends.current(), [registry.groups["tills"]])
        yield found


def say(wire_type: str, payload: bytes) -> None:
    """Publish an event, and have it in the outbox as an older release has written it."""
    with transaction.atomic():
        [event_id] = publish(TillOpened(till="1", amount=1, currency="EUR", town="Lyon"))
        OutboxRow.objects.filter(event_id=event_id).update(type=wire_type, payload=payload)


@pytest.mark.parametrize(
    ("wire_type", "payload"),
    [
        ("till.opened.v1", b'{"till": "7", "cents": 1900}'),
        ("till.opened.v2", b'{"till": "7", "amount": 1900, "currency": "EUR"}'),
        ("till.opened.v3", b'{"till": "7", "amount": 1900, "currency": "EUR", "town": "Lyon"}'),
    ],
)
@pytest.mark.misfits
def test_a_group_gets_every_version_in_the_present_shape(
    heard: list[TillOpened], wire_type: str, payload: bytes
) -> None:
    say(wire_type, payload)

    settle(only=["tills"])

    assert heard == [TillOpened(till="7", amount=1_900, currency="EUR", town="Lyon")]
    assert is_known(wire_type)
    assert len(registry.groups["tills"].all()) == 1


@pytest.mark.misfits
def test_data_that_cannot_be_upcast_are_a_dead_letter_with_their_bytes(heard: list[TillOpened]) -> None:
    say("till.opened.v1", b'{"till": "7"}')

    settle(only=["tills"], raise_errors=False)

    [letter] = DeadLetter.objects.all()
    assert bytes(letter.payload) == b'{"till": "7"}' and heard == []
    assert "the upcast to version 3 failed: KeyError: 'cents'" in letter.error


def test_two_classes_for_one_version_are_refused() -> None:
    class Older(Event, name="till.opened", topic="tills", key="till", version=2):
        till: str

    try:
        assert "till.opened.v2 is the wire type of" in " ".join(one.msg for one in check_events())
    finally:
        del Older
        gc.collect()  # other tests look at all declared events


@pytest.mark.parametrize(
    ("upcasts", "said"),
    [
        ({1: dict}, "upcasts has 1: name every version up to 2, the oldest first"),
        ({2: dict, 1: dict}, "upcasts has 2, 1: name every version"),
        ({1: dict, 2: dict, 3: dict}, "name every version up to 2"),
        ({2: "with_place"}, "it has a function for each older version"),
        ([dict], "it has a function for each older version"),
    ],
)
def test_upcasts_that_leave_out_a_version_are_refused(upcasts: Any, said: str) -> None:
    with pytest.raises(WrongDeclaration) as refused:
        type(Event)(
            "A", (Event,), {"__annotations__": {"b": str}}, name="a", topic="t", key="b", version=3, upcasts=upcasts
        )

    assert said in str(refused.value)
