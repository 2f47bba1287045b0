"""Transactions that take the same turn run one after the other, and leave nothing behind."""

from contextlib import ExitStack

import pytest
from django.db import transaction

from mcommerce.rate_limits.models import CacheEntry
from mcommerce.rate_limits.named_locks import take_turn
from tests.eventbus.busy_site import threads, waiting
from tests.waiting import until


@pytest.mark.django_db(transaction=True)
def test_a_second_transaction_waits_for_the_first_and_no_row_remains() -> None:
    order: list[str] = []

    def second() -> None:
        with transaction.atomic():
            take_turn("stock", "Ada")
            order.append("second")

    with ExitStack() as stack, transaction.atomic():
        take_turn("Ada")
        stack.enter_context(threads(second))
        until(waiting, "the second waits")
        order.append("first")

    assert order == ["first", "second"]
    assert not CacheEntry.objects.exists()
