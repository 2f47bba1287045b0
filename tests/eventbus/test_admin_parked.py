"""Staff look at a key behind which thousands wait."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.admin.model_pages import EVENTS_SHOWN_MAX
from eventbus.models import ParkedKey
from tests.eventbus.bus_app import House, Noted, open_house


@pytest.fixture
def house(db: None) -> Iterator[House]:
    """One thread is enough here, so the test's transaction is simply undone."""
    with open_house() as house:
        yield house


def test_of_a_long_line_the_first_fifty_are_shown(house: House, admin_client: Client) -> None:
    def refuse(event: Noted) -> None:
        raise ValueError("not now")

    house.handler(call=refuse)
    house.say(*(("vase", number) for number in range(60)))
    house.settle(raise_errors=False)
    key = ParkedKey.objects.get()
    assert key.events.count() == 60

    page = admin_client.get(reverse("admin:eventbus_parkedkey_change", args=[key.pk])).content.decode()

    assert page.count("<pre>") == EVENTS_SHOWN_MAX == 50
    assert "number&quot;: 49" in page
    assert "number&quot;: 50" not in page
