"""Who presses Pay again and again is slowed down, whatever address they come from."""

from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse

from eventbus import clock
from eventbus.ids import uuid7
from mcommerce.payment.limits import PAYS_PER_NETWORK
from tests.mcommerce.payment.conftest import Company, Shopper


@pytest.fixture(autouse=True)
def _time_stands_still(bus_clock: Any) -> None:
    """Windows begin with each minute: no try may fall into the next."""
    bus_clock.hold(clock.now())


def test_a_robot_is_slowed_down(company: Company, shopper: Shopper, order_id: UUID) -> None:
    answers = [shopper.go_to_pay(order_id) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [302] * 10 + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 60
    assert "very often" in answers[-1].text


def test_a_robot_with_many_ipv6_addresses_is_slowed_down(company: Company, shopper: Shopper, db: None) -> None:
    answers = [
        shopper.client.post(reverse("payment:pay", args=[uuid7()]), REMOTE_ADDR=f"2001:db8::{number:x}").status_code
        for number in range(PAYS_PER_NETWORK.at_most + 1)
    ]

    assert answers == [409] * PAYS_PER_NETWORK.at_most + [429]
