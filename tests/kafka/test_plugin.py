"""A broker is asked for by a mark; where there can be none, a test is skipped at home and fails in CI."""

import pytest

from tests.kafka import KafkaMissing
from tests.kafka.plugin import do_without


def test_who_asks_for_a_broker_and_is_not_marked_is_told_to_be(request: pytest.FixtureRequest) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"pytest\.mark\.kafka"):
        request.getfixturevalue("fresh_kafka")


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_machine_that_can_start_no_broker_skips_at_home_and_fails_in_ci(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)

    with pytest.raises(outcome, match="no Java here"):
        do_without(KafkaMissing("no Java here"))
