"""Many processes on one database: each publishes, one dispatches, and its death costs seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventbus.failures.effects import CRASHES_MAX
from tests.eventbus.load_app.processes import (
    STANDBYS,
    TAKE_OVER_SECONDS,
    Crowd,
    database_of_its_own,
    die,
    see_all_handled_once,
    until,
)

pytestmark = pytest.mark.sites

DEATHS = 10
# Right after a take-over. The first death meets events in hand, and who is killed after the last early one has hardly
# begun either: one more, and what was in hand each time would be set aside.
EARLY_DEATHS = CRASHES_MAX - 2


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    with database_of_its_own(tmp_path) as url:
        crowd = Crowd(tmp_path, url)
        try:
            yield crowd
        finally:
            crowd.close()


def test_ten_times_the_dispatcher_dies_under_load_and_nothing_is_lost_or_done_twice(crowd: Crowd) -> None:
    names = [f"dispatcher{number}" for number in range(1 + STANDBYS + DEATHS)]
    for name in names[: 1 + STANDBYS]:
        crowd.dispatcher(name)
    until(crowd.leader, "a first dispatcher")
    files = [crowd.folder / name for name in ("a", "b")]
    publishing = {file: crowd.start("publisher", file.name, file) for file in files}
    until(lambda: len(crowd.seen()) > 1, "events handled under load")

    early = names[1 + STANDBYS :][:EARLY_DEATHS]
    waits = [die(crowd, name, at_once=name in early) for name in names[1 + STANDBYS :]]

    see_all_handled_once(crowd, publishing)
    assert max(waits) <= TAKE_OVER_SECONDS, waits
