"""A form that a replica died over is sent again by the browser, and takes effect once."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.test import Client

from mcommerce.accounts.models import Address
from tests.mcommerce.accounts.conftest import ada, browser  # noqa: F401
from tests.mcommerce.accounts.test_account import HOME

NEW_ADDRESS = "/accounts/addresses/new/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _answers_are_kept_in_the_database(settings) -> Iterator[None]:  # type: ignore[no-untyped-def]
    cache = {"BACKEND": "mcommerce.rate_limits.counting_cache.CountingCache", "LOCATION": "cache_entry"}
    settings.CACHES = {"default": cache}
    yield


def send(client: Client, path: str, form: dict[str, Any], sent: UUID, **headers: str):  # type: ignore[no-untyped-def]
    """The first time: the proxy numbers each form."""
    return client.post(path, form, headers={"X-Request-Id": str(sent), **headers})


def again(client: Client, path: str, form: dict[str, Any], first: UUID, **headers: str):  # type: ignore[no-untyped-def]
    """As the browser does when the proxy asks for the form once more: it has another number by now."""
    joined = "&" if "?" in path else "?"
    return client.post(f"{path}{joined}again={first}", form, headers={"X-Request-Id": str(uuid4()), **headers})


def test_an_address_is_added_once(browser: Client) -> None:  # noqa: F811
    first = uuid4()

    answers = [send(browser, NEW_ADDRESS, HOME, first), again(browser, NEW_ADDRESS, HOME, first)]

    assert [(answer.status_code, answer["Location"]) for answer in answers] == [(302, "/accounts/")] * 2
    assert Address.objects.count() == 1


def test_another_form_from_the_page_that_was_sent_again_is_stored_as_well(browser: Client) -> None:  # noqa: F811
    """The address keeps the first form's number while the form comes back with errors."""
    first = uuid4()
    again(browser, NEW_ADDRESS, HOME, first)

    again(browser, NEW_ADDRESS, HOME | {"street": "1 place Bellecour"}, first)

    assert Address.objects.count() == 2


def test_a_form_that_came_back_with_errors_is_looked_at_anew(browser: Client) -> None:  # noqa: F811
    first = uuid4()

    assert send(browser, NEW_ADDRESS, HOME | {"city": ""}, first).status_code == 200
    assert again(browser, NEW_ADDRESS, HOME, first).status_code == 302

    assert Address.objects.count() == 1


def test_nobody_is_answered_for_a_form_of_somebody_else(browser: Client, client: Client) -> None:  # noqa: F811
    first = uuid4()
    send(browser, NEW_ADDRESS, HOME, first)

    answer = again(client, NEW_ADDRESS, HOME, first)

    assert answer["Location"].startswith("/accounts/sign-in/")


def test_a_form_that_ended_in_an_error_has_changed_nothing_and_may_come_again(
    browser: Client,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, save = uuid4(), Address.save

    def save_and_fail(self: Address, *given: Any, **named: Any) -> None:
        save(self, *given, **named)
        raise OSError("the disk is full")

    browser.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr(Address, "save", save_and_fail)
        assert send(browser, NEW_ADDRESS, HOME, first).status_code == 500
    assert not Address.objects.exists()

    again(browser, NEW_ADDRESS, HOME, first)

    assert Address.objects.count() == 1


def test_the_answer_is_kept_only_with_what_the_form_changed(browser: Client) -> None:  # noqa: F811
    """A replica that dies before the commit leaves neither."""
    first = uuid4()
    with transaction.atomic():
        send(browser, NEW_ADDRESS, HOME, first)
        transaction.set_rollback(True)

    again(browser, NEW_ADDRESS, HOME, first)

    assert Address.objects.count() == 1
