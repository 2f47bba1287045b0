"""Brokers are started only where `tests/run` expects them."""

import pytest

from tests.kafka.plugin import refuse_unmarked


def test_who_asks_for_a_broker_and_is_not_marked_is_told_to_be(request: pytest.FixtureRequest) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"pytest\.mark\.kafka"):
        refuse_unmarked(request.session)


@pytest.mark.kafka
def test_who_is_marked_is_let_in(request: pytest.FixtureRequest) -> None:
    refuse_unmarked(request.session)
