"""How long events wait when the dispatcher is killed under load: until another has taken over and handled one."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Goal, Row
from benchmarks.site import Bench
from eventbus.leases import LEASE_SECONDS

DEATHS = 10
HANDOVER_SECONDS_MAX = 5.0  # each of them


def measure(bench: Bench) -> Iterator[Row]:
    from tests.eventbus import test_many_processes as many  # only now: it needs Django to be set up

    with tempfile.TemporaryDirectory(prefix="handover-") as place, many.database_of_its_own(Path(place)) as url:
        crowd = many.Crowd(Path(place), url)
        names = (f"dispatcher{number}" for number in itertools.count())
        try:
            for name in itertools.islice(names, 1 + many.STANDBYS):
                crowd.dispatcher(name)
            many.until(crowd.leader, "a first dispatcher")
            for name in ("a", "b"):
                crowd.start("publishing", name, crowd.folder / f"told-{name}")
            many.until(lambda: len(crowd.seen()) > 1, "events handled under load")
            yield bench.row(
                "dispatcher killed under load",
                lambda: many.die(crowd, next(names)),
                unit="s",
                beside="the lease",
                peer=lambda: LEASE_SECONDS,
                goal=Goal(worst_at_most=HANDOVER_SECONDS_MAX),
                rounds=DEATHS,
            )
        finally:
            crowd.close()
