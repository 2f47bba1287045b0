"""Which faults operators are told of, from one check to the next."""

from datetime import UTC, datetime, timedelta

from mcommerce.notices.hysteresis import Hysteresis
from mcommerce.overview.faults import Fault

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CHECK = timedelta(seconds=5)
LAG = Fault("Group mail is behind", "12 events wait", id="lag:mail")
DISK = Fault("A disk is full", "/var is full", id="disk:")


class Day:
    """Checks one after the other. `told` has each notice with the number of its check."""

    def __init__(self) -> None:
        self.state = Hysteresis()
        self.checks = 0
        self.told: list[tuple[int, str, str]] = []

    def check(self, *found: Fault, times: int = 1, whole: bool = True) -> None:
        for _time in range(times):
            self.checks += 1
            for notice in self.state.check(found, NOON + self.checks * CHECK, whole=whole):
                self.told.append((self.checks, notice.what, notice.fault.id))


def test_a_fault_is_told_at_its_second_check_and_its_end_at_the_third_without_it() -> None:
    day = Day()
    day.check(LAG, times=4)
    day.check(times=6)

    assert day.told == [(2, "began", "lag:mail"), (7, "ended", "lag:mail")]


def test_one_check_is_no_fault_and_two_are_no_end() -> None:
    day = Day()
    for _time in range(5):
        day.check(LAG)
        day.check()
    assert day.told == []

    day.check(LAG, times=2)
    for _time in range(5):
        day.check(times=2)
        day.check(LAG)

    assert day.told == [(12, "began", "lag:mail")]


def test_a_fault_that_comes_and_goes_is_told_once_an_hour() -> None:
    day = Day()
    while day.checks * CHECK < timedelta(hours=2, minutes=30):
        day.check(LAG, times=3)
        day.check(times=5)

    assert [what for _check, what, _name in day.told] == ["began", "ended"] * 3
    begins = [check for check, what, _name in day.told if what == "began"]
    assert all(
        (after - before) * CHECK >= timedelta(hours=1) for before, after in zip(begins, begins[1:], strict=False)
    )


def test_what_cannot_be_asked_has_not_ended() -> None:
    day = Day()
    day.check(LAG, times=2)
    day.check(DISK, times=10, whole=False)
    assert day.told == [(2, "began", "lag:mail"), (4, "began", "disk:")]

    day.check(LAG, times=3)

    assert day.told[2:] == [(15, "ended", "disk:")]


def test_the_next_owner_goes_on_where_the_last_one_was() -> None:
    day = Day()
    day.check(LAG, times=2)

    day.state = Hysteresis(day.state.faults.values())
    day.check(LAG, times=3)
    day.check(times=3)

    assert day.told == [(2, "began", "lag:mail"), (8, "ended", "lag:mail")]
