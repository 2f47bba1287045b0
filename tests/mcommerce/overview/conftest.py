"""Staff who look into the bus, on a site whose one process lives."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from eventbus import clock
from eventbus.ids import uuid7
from eventbus.models import ConsumerGroup, ProcessRow
from eventbus.reports.trends import trends
from mcommerce.accounts.models import User
from tests.eventbus.bus_app import House, open_house

FEED = "jcdecaux:lyon"


@pytest.fixture(autouse=True)
def nothing_seen_before() -> None:
    trends.forget()


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    with open_house() as house:
        yield house


@pytest.fixture
def staff_with(db: None) -> Callable[..., Client]:
    """Return a browser of staff with just these permissions, named without their app."""

    def make(*codenames: str) -> Client:
        user = User.objects.create_user(f"{'-'.join(codenames)}@example.com", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def live_process(db: None) -> ProcessRow:
    """The site's one process, which reads everything."""
    now = clock.now()
    groups = {name: ["all/0"] for name in ConsumerGroup.objects.values_list("name", flat=True)}
    return ProcessRow.objects.create(
        id=uuid7(), role="all", host="here", pid=1, state="active", assignment=groups, began_at=now, beat_at=now
    )


@pytest.fixture
def operator(live_process: ProcessRow, staff_with: Callable[..., Client], settings: Any) -> Client:
    """Staff who may look into the bus."""
    settings.STATIONS_FEEDS = [FEED]
    return staff_with("view_progress")
