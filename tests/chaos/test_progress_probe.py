"""A look at what waits goes on where the database forgot what the look before had seen."""

from typing import Any, cast

import pytest

from tests.chaos.progress_probe import NOTHING, Watch
from tests.chaos.servers import Site


class Database:
    """Answers with these rows, one after the other."""

    def __init__(self, *answers: tuple[int | None, ...]) -> None:
        self._answers = list(answers)
        self.asked_behind: list[int] = []

    def execute(self, question: str, values: list[int]) -> "Database":
        self.asked_behind += values
        return self

    def fetchall(self) -> list[tuple[int | None, ...]]:
        return [self._answers.pop(0)]


def told_until(last: int) -> tuple[int | None, ...]:
    """All of it was read."""
    return tuple(NOTHING._replace(last_read=last, last_told=last))


@pytest.fixture
def watch() -> Watch:
    return Watch(cast(Site, None), lambda what: None)


def look(watch: Watch, database: Database) -> Any:
    watch._connection = cast(Any, database)
    watch._see(watch._ask())
    return watch._seen


def test_a_restored_database_is_looked_at_from_its_beginning(watch: Watch) -> None:
    database = Database(told_until(90), told_until(40), told_until(40))
    look(watch, database)

    seen = look(watch, database)

    assert database.asked_behind == [0, 90, 0]
    assert (seen.last_read, seen.last_told) == (40, 40)


def test_what_is_looked_at_goes_on_behind_what_was_told(watch: Watch) -> None:
    database = Database(told_until(90), told_until(95))
    look(watch, database)

    assert look(watch, database).last_told == 95
    assert database.asked_behind == [0, 90]
