"""A group's rate and the direction of its lag come from what this process saw before."""

from datetime import UTC, datetime, timedelta

from eventbus.reports.trends import Measured, Trend, Trends

NOW = datetime(2026, 12, 2, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)


def measured(handled: int, waiting: float = 0.0, moved_at: datetime | None = None) -> dict[str, Measured]:
    return {"mail": Measured(handled=handled, waiting_seconds=waiting, moved_at=moved_at)}


def test_the_first_look_knows_no_rate() -> None:
    assert Trends().measure(measured(100), NOW) == {"mail": Trend(None, "")}


def test_what_was_handled_between_two_looks_is_the_rate() -> None:
    seen = Trends()
    seen.measure(measured(100), NOW)

    assert seen.measure(measured(150), LATER) == {"mail": Trend(5.0, "")}


def test_a_lag_that_changes_grows_shrinks_or_is_steady() -> None:
    for waiting, direction in ((31.0, "grows"), (5.0, "shrinks"), (21.0, "steady")):
        seen = Trends()
        seen.measure(measured(100, 20.0), NOW)

        assert seen.measure(measured(150, waiting, LATER), LATER)["mail"].direction == direction


def test_a_group_that_stands_while_events_wait_falls_behind_at_the_first_look() -> None:
    found = Trends().measure(measured(100, 60.0, NOW - timedelta(seconds=60)), NOW)

    assert found == {"mail": Trend(None, "grows")}


def test_a_clock_that_was_set_back_and_old_samples_are_not_compared() -> None:
    seen = Trends()
    seen.measure(measured(100), LATER)
    assert seen.measure(measured(150), NOW)["mail"].rate is None

    assert seen.measure(measured(200), NOW + timedelta(minutes=5))["mail"].rate is None
