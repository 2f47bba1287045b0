"""Staff see on the overview which settings endanger a promise, as the doctor found them in the background."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connections
from django.test import Client

from mcommerce.accounts.models import User
from mcommerce.overview import examination
from tests.waiting import until

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


def test_a_site_without_findings_says_so_in_both_languages(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "examine", lambda facts: [])
    examination.look()

    assert "No setting endangers a promise of the bus" in shown(operator)
    assert "Aucun réglage visible ne met en danger" in shown(operator, **{"accept-language": "fr"})


def test_the_thread_examines_soon_after_the_start_and_ends_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(examination, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(examination, "look", lambda: looked.append(1))

    thread = examination._Examination().start()
    until(lambda: looked, "it examined")
    thread.close()

    assert not thread._thread.is_alive() and looked == [1]


def test_between_two_examinations_the_thread_holds_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []
    monkeypatch.setattr(examination, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(examination, "look", lambda: setattr(connections["default"], "close", lambda: closed.append(1)))

    thread = examination._Examination().start()
    until(lambda: closed, "it closed its connection and waits")

    assert thread._thread.is_alive()
    thread.close()
