"""Two minutes of chaos, and what its verdict rests on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.client_records import read_told
from tests.chaos.faults import KINDS, OF_THE_TOWN
from tests.chaos.run import Outcome, run, schedule
from tests.chaos.servers import Servers
from tests.kafka import stoppable_brokers
from tests.kafka.plugin import do_without
from tests.postgres import PostgresMissing, stoppable_cluster

SECONDS, SEED = 120.0, 1
PAUSE_SECONDS = 1.0  # ten events a second: what is looked for are faults, and each event costs the other tests time
EFFECTIVE_MIN, KINDS_MIN = 15, 10  # of some twenty; one may come while another has stopped everything
MISTAKE = "an event is published on another connection"
HURRY_SECONDS, MISTAKE_SECONDS, PATIENCE_SECONDS = 0.1, 10.0, 25.0  # a short run must meet what shows it


@pytest.fixture(scope="module")
def servers(kafka_installed: None) -> Iterator[Servers]:
    try:
        with stoppable_cluster(durable=True) as database, stoppable_brokers() as broker:
            yield database, broker
    except PostgresMissing as missing:
        do_without(missing)


@pytest.mark.chaos
def test_two_minutes_of_faults_and_every_promise_is_kept(servers: Servers) -> None:
    """Of the town: `make chaos` has the shop beside it."""
    planned = schedule(SEED, SECONDS, list(OF_THE_TOWN))

    outcome = run(servers, planned, Outcome(SEED, SECONDS), pause_seconds=PAUSE_SECONDS)

    print(outcome)
    assert outcome.violations == [], outcome
    assert outcome.effective.total() >= EFFECTIVE_MIN, outcome
    assert len(+outcome.effective) >= KINDS_MIN, outcome


@pytest.mark.chaos
def test_what_is_published_outside_its_transaction_is_told(servers: Servers) -> None:
    outcome = Outcome(SEED, MISTAKE_SECONDS)

    run(servers, [], outcome, mistake=MISTAKE, patience=PATIENCE_SECONDS, pause_seconds=HURRY_SECONDS)

    assert "nothing undone is heard" in {one.promise for one in outcome.violations}, outcome


def test_the_same_seed_draws_the_same_faults_and_ten_minutes_hold_a_hundred_of_every_kind() -> None:
    planned = schedule(SEED, 600, list(KINDS))

    assert schedule(SEED, 600, list(KINDS)) == planned != schedule(SEED + 1, 600, list(KINDS))
    assert len(planned) > 100
    assert {one.kind for one in planned} == set(KINDS)


def test_a_line_that_death_cut_short_acknowledges_nothing(tmp_path: Path) -> None:
    told = tmp_path / "publisher-1"
    told.write_text("ack a b\nundo c\nack d")

    assert read_told([told, tmp_path / "never-began"], "ack") == {"a", "b"}


def test_ten_minutes_that_came_to_little_fall_short() -> None:
    kinds = [f"kind {number}" for number in range(10)]
    outcome = Outcome(1, 600, events=20_000)
    outcome.effective.update(dict.fromkeys(kinds, 10))

    assert outcome.falls_short() == []

    outcome.events -= 1
    outcome.effective["kind 0"] = 0
    assert outcome.falls_short() == [
        "Falls short: 19999 events, of 20000",
        "Falls short: 90 effective faults, of 100",
        "Falls short: 9 kinds of them, of 10",
    ]
