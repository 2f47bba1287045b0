"""Money goes back."""

from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from msgspec import structs

from eventbus import publish
from eventbus.ids import uuid7
from eventbus.testing import published_events
from mcommerce.events import OrderRefundRequested, PaymentRefunded, PaymentRefundFailed
from mcommerce.payment.models import Payment, Refund
from mcommerce.payment.services import ledger
from tests.mcommerce.payment.conftest import Company, settle
from tests.mcommerce.payment.lossy_line import Line

pytestmark = pytest.mark.postgresql


def asked(paid: Payment, *, amount: int = 1900, refund_id: UUID | None = None) -> OrderRefundRequested:
    return OrderRefundRequested(
        order_id=paid.order_id,
        refund_id=refund_id or uuid7(),
        payment_id=paid.id,
        amount=amount,
        currency="EUR",
        reason="cancelled",
    )


def test_a_refund_goes_back_once_however_often_it_is_asked_for(company: Company, paid: Payment, line: Line) -> None:
    request = asked(paid)

    settle(request)
    assert [passed.path for passed in line.requests] == ["/v1/refunds"], "the company is asked one thing"
    settle(request, request)

    paid.refresh_from_db()
    assert [charge["refunded"] for charge in company.charges()] == [1900]
    assert paid.refunded == 1900
    assert Refund.objects.get().status == "succeeded"
    [told] = published_events(PaymentRefunded)
    assert (told.refund_id, told.payment_id, told.amount) == (request.refund_id, paid.id, 1900)
    assert set(ledger.balances().values()) == {0}


def test_parts_go_back_until_everything_is_back(company: Company, paid: Payment) -> None:
    settle(asked(paid, amount=1000), asked(paid, amount=900), asked(paid, amount=1))

    assert company.charges()[0]["refunded"] == 1900
    assert [told.amount for told in published_events(PaymentRefunded)] == [1000, 900]
    [failed] = published_events(PaymentRefundFailed)
    assert (failed.amount, failed.code) == (1, "exceeds_capture")
    assert set(ledger.balances().values()) == {0}


def test_a_refund_whose_answer_was_lost_is_made_once(
    company: Company, paid: Payment, line: Line, bus_clock: Any
) -> None:
    line.answers_to_lose = 1

    with transaction.atomic():
        publish(asked(paid))
    settle(raise_errors=False)
    unanswered = published_events(PaymentRefunded)
    bus_clock.advance(minutes=6)
    settle()

    assert unanswered == []
    assert company.charges()[0]["refunded"] == 1900
    assert len(published_events(PaymentRefunded)) == 1
    assert len(set(line.keys_of("/v1/refunds"))) == 1


def test_a_refused_refund_raises_an_alarm_and_is_asked_for_again_when_staff_says_so(
    company: Company, paid: Payment, line: Line
) -> None:
    company.call("POST", "/v1/refunds", {"charge": paid.provider_ref, "amount": 1}, key="by hand")
    request = asked(paid)

    settle(request, request)
    paid.refresh_from_db()
    assert "refund_too_large" in paid.alarm
    assert Refund.objects.get().status == "failed"
    assert len(line.keys_of("/v1/refunds")) == 1, "a repeat is no new request"

    settle(structs.replace(request, number=2))
    assert len(line.keys_of("/v1/refunds")) == 2
    assert [failed.code for failed in published_events(PaymentRefundFailed)] == ["refund_too_large"] * 3
    paid.refresh_from_db()
    assert paid.refunded == 0


def test_more_than_was_captured_cannot_even_be_written(paid: Payment) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.filter(id=paid.id).update(refunded=1901)
