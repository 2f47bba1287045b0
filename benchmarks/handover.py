"""How long events wait when the dispatcher is killed under load: until another has taken over and handled one."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Goal, Row
from benchmarks.site import Bench
from eventbus.database.leases import LEASE_SECONDS
from tests.eventbus.load_app.processes import (
    HANDOVER_SECONDS_MAX,
    STANDBYS,
    Crowd,
    database_of_its_own,
    die,
    see_all_handled_once,
    until,
)

DEATHS = 10


def measure(bench: Bench) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="handover-") as place, database_of_its_own(Path(place)) as url:
        crowd = Crowd(Path(place), url, {"CROWD_DURABLE": "1"})
        names = (f"dispatcher{number}" for number in itertools.count())
        try:
            for name in itertools.islice(names, 1 + STANDBYS):
                crowd.dispatcher(name)
            until(crowd.leader, "a first dispatcher")
            publishing = {
                file: crowd.start("publisher", file.name, file) for file in (crowd.folder / "a", crowd.folder / "b")
            }
            until(lambda: len(crowd.seen()) > 1, "events handled under load")
            row = bench.row(
                "dispatcher killed under load",
                lambda: die(crowd, next(names)),
                unit="s",
                beside="the lease",
                peer=lambda: LEASE_SECONDS,
                goal=Goal(worst_at_most=HANDOVER_SECONDS_MAX, firm=True),
                rounds=DEATHS,
            )
            see_all_handled_once(crowd, publishing)
            yield row
        finally:
            crowd.close()
