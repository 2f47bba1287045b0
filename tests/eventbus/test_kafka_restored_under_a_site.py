"""The database is restored under a site that runs, with all that its processes remember."""

from contextlib import closing, suppress
from pathlib import Path

from eventbus.errors import LogUnavailable
from eventbus.models import ConsumerGroup, Divergence
from eventbus.processes.dispatcher import Dispatcher
from tests.eventbus.bus_app import House
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS
from tests.eventbus.restore_steps import Heard, database_kept, of
from tests.eventbus.test_commands import run
from tests.waiting import until


def test_a_site_that_runs_on_handles_nothing_that_was_forgotten(house: House, heard: Heard, tmp_path: Path) -> None:
    """The backup is of this very run: its relay has the lease, its workers the partitions, before and after."""
    with closing(Dispatcher.start_in_process()) as dispatcher:
        until(dispatcher.active.is_set, "a relay")
        house.say(("vase", 1))
        until(lambda: heard == [("vase", 1)], "it works", seconds=WAIT_SECONDS)
        with database_kept(tmp_path) as backup:
            house.say(("vase", 2), ("chair", 1))
            until(lambda: len(heard) == 3, "it goes on", seconds=WAIT_SECONDS)
            backup.restore()
            heard.clear()
            house.say(("vase", 10), ("vase", 11))

            until(Divergence.objects.exists, "it is noticed", seconds=WAIT_SECONDS)
            assert heard == []
            until(repaired, "it is repaired", seconds=WAIT_SECONDS)
            until(lambda: len(heard) >= 2, "what was told is handled", seconds=WAIT_SECONDS)

    assert heard == [("vase", 10), ("vase", 11)]


def repaired() -> bool:
    with suppress(LogUnavailable):
        return run("eventbus", "restored", "--apply")[0] == 0
    return False


def test_what_the_backup_has_and_had_not_handled_is_handled_by_a_worker_that_has_read_farther(
    house: House, heard: Heard, tmp_path: Path
) -> None:
    """Nothing in the log is strange: its events are in the backup, only their handling is not."""
    house.say(("vase", 1))
    house.relay()
    with house.working():
        until(lambda: heard == [("vase", 1)], "the first is handled", seconds=WAIT_SECONDS)
        pause(True)
        house.say(("vase", 2))
        house.relay()
        with database_kept(tmp_path) as backup:
            pause(False)
            until(lambda: ("vase", 2) in heard, "the second as well", seconds=WAIT_SECONDS)
            backup.restore()
            heard.clear()
            house.say(("vase", 3))
            house.relay()
            pause(False)

            until(lambda: ("vase", 3) in heard, "the third", seconds=WAIT_SECONDS)

    assert of(heard, "vase") == [2, 3]


def pause(is_paused: bool) -> None:
    ConsumerGroup.objects.filter(name="house-a").update(paused_at="2026-11-29T00:00Z" if is_paused else None)
