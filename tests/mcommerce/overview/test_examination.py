"""Staff see on the overview which settings endanger a promise, as the doctor found them in the background."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from mcommerce.accounts.models import User
from mcommerce.overview import examination

PAGE = "/eventbus/"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has not examined anything."""
    monkeypatch.setattr(examination, "_latest", None)
    return


@pytest.fixture
def operator(db: None) -> Client:
    user = User.objects.create_user("ada@example.com", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_progress"))
    client = Client()
    client.force_login(user)
    return client


def shown(client: Client, **headers: str) -> str:
    """The section of the page."""
    html = client.get(PAGE, headers=headers).content.decode()
    return html.partition('<section class="overview__settings">')[2].partition("</section>")[0]


def test_a_finding_is_shown_with_reason_remedy_and_source(operator: Client, settings: Any) -> None:
    assert "This server examines its settings within a minute" in shown(operator)

    settings.EVENTBUS_RETENTION_HOURS = 24 * 365
    examination.look()

    page = shown(operator)
    assert "<code>outbox.retention</code>" in page and "EVENTBUS_RETENTION_HOURS is 8760" in page
    assert "to days or weeks" in page and "docs/operations.md" in page
