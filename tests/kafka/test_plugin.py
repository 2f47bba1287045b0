"""Brokers are started only where `tests/run` expects them."""

import pytest


def test_who_asks_for_a_broker_and_is_not_marked_is_told_to_be(request: pytest.FixtureRequest) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"pytest\.mark\.kafka"):
        request.getfixturevalue("fresh_kafka")
