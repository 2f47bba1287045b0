"""A card number is typed at the company and is nowhere else, ever."""

import logging
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.core import serializers

from tests.mcommerce.payment.conftest import Company, Shopper

CARDS = ("4242424242424242", "4000000000000002", "4000000000003220")
TYPED_WRONG = "4242424242424241"


def test_a_card_number_is_in_no_row_no_log_and_no_file(
    company: Company, shopper: Shopper, order_id: UUID, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    page = shopper.page_to_pay(order_id)
    for number in (TYPED_WRONG, *reversed(CARDS)):
        company.pay(page, number, cvc="987")
        shopper.come_back(order_id)
    company.close()

    rows = "".join(
        serializers.serialize("json", model._base_manager.all()) for model in apps.get_models() if model._meta.managed
    )
    files = "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    for number in (*CARDS, TYPED_WRONG):
        assert number not in rows
        assert number not in files
        assert number not in caplog.text
    assert "key-of-the-tests" not in caplog.text
    assert rows.count('"last4": "4242"') == 1


def test_a_real_card_is_neither_charged_nor_kept(company: Company, session: dict[str, Any], tmp_path: Path) -> None:
    answer = company.pay(session["url"], "5555555555554444")

    assert "Only the test cards below can pay here" in answer.text
    company.close()
    assert "55554444" not in "".join(
        path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()
    )
