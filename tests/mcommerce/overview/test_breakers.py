"""Staff see open circuit breakers and close them by hand, and the audit trail says who did."""

from collections.abc import Iterator

import pytest
from django.urls import reverse

from eventbus import clock
from eventbus.models import ConsumerGroup, OperatorAction
from outside import circuit_breaker
from tests.mcommerce.overview.test_failures import LOOK, OPERATE, SEE, page_of, staff

NAME = "test provider"
CLOSE = "/eventbus/breakers/close/"


@pytest.fixture
def group(db: None) -> ConsumerGroup:
    return ConsumerGroup.objects.create(
        name="house-a", created_at=clock.now(), breaker_opened_at=clock.now(), breaker_reason="no 4711471147"
    )


@pytest.fixture
def service(db: None) -> Iterator[circuit_breaker.Service]:
    """A service that has failed as often as it may."""
    circuit_breaker.forget()
    service = circuit_breaker.service(NAME, at="here")
    for _ in range(circuit_breaker.FAILURES_MAX):
        with pytest.raises(ValueError, match="down"), service.asked():
            raise ValueError("down")
    assert service.state == "open"
    yield service
    circuit_breaker.forget()


def test_an_operator_closes_the_breaker_of_a_group(group: ConsumerGroup) -> None:
    client = staff(LOOK, SEE, OPERATE)
    assert "no 4711471147" in page_of(client, reverse("bus-breakers"))

    client.post(CLOSE, {"group": group.name})

    group.refresh_from_db()
    assert (group.breaker_opened_at, group.breaker_reason) == (None, "")
    action = OperatorAction.objects.get()
    assert (action.who, action.action, action.group) == ("ada@example.org", "breaker", "house-a")
    assert "The circuit breaker of every group is closed." in page_of(client, reverse("bus-breakers"))


def test_an_operator_closes_the_breaker_of_a_service_and_calls_go_through(service: circuit_breaker.Service) -> None:
    client = staff(LOOK, OPERATE)
    assert NAME in page_of(client, reverse("bus-breakers"))

    client.post(CLOSE, {"service": NAME})

    assert service.state == "closed"
    with service.asked():
        pass
    assert [(one.action, one.key) for one in OperatorAction.objects.all()] == [("breaker", NAME)]


@pytest.mark.parametrize("form", [{"group": "house-b"}, {"service": "nobody"}, {}])
def test_what_is_closed_is_refused_and_leaves_no_trail(db: None, form: dict[str, str]) -> None:
    page = staff(LOOK, OPERATE).post(CLOSE, form, follow=True).content.decode()

    assert "is closed" in page
    assert not OperatorAction.objects.exists()


def test_who_may_only_look_is_offered_nothing_and_reads_no_error(
    group: ConsumerGroup, service: circuit_breaker.Service
) -> None:
    ConsumerGroup.objects.update(breaker_reason="7 of 10 failed. The last: ValueError: no 4711471147")
    client = staff(LOOK)
    assert "4711471147" not in page_of(client, reverse("overview"))
    page = page_of(client, reverse("bus-breakers"))

    assert NAME in page
    assert "4711471147" not in page
    assert "<button" not in page.partition("content-main")[2].partition("footer")[0]
