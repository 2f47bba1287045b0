"""Many processes on one database: each publishes and hears, one dispatches, and its death costs seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventbus.failures.effects import CRASHES_MAX
from tests.eventbus.load_app.processes import (
    STANDBYS,
    TAKE_OVER_SECONDS,
    WAIT_SECONDS,
    Crowd,
    database_of_its_own,
    die,
    see_all_handled_once,
    told,
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


def test_every_process_publishes_and_hears_and_one_handles(crowd: Crowd) -> None:
    for name in ("first", "second"):
        crowd.dispatcher(name)
    heard, spoken = crowd.folder / "heard", crowd.folder / "spoken"
    crowd.start("watcher", heard)
    until(heard.exists, "a watch that listens")
    publisher = crowd.start("publisher", "speaker", spoken)

    until(lambda: spoken.exists() and len(spoken.read_text().splitlines()) >= 50, "a process that publishes")
    spoken.with_suffix(".stop").touch()
    assert publisher.wait(WAIT_SECONDS) == 0, crowd.log()
    everything = told(spoken) | {"watcher": [0]}
    until(lambda: crowd.seen() == everything, "all of it handled once and in order")

    until(lambda: told(heard) == everything, "all of it heard, its own event too")
    assert len(crowd.processes_that_handled()) == 1


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
