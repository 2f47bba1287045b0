"""Two minutes of chaos in each test run, and what its verdict rests on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import report, schedule
from tests.chaos.client_records import read_told
from tests.chaos.fault_kinds import KINDS, LONG, drawn
from tests.chaos.mistake_trial import told_of
from tests.chaos.progress_probe import Waits
from tests.chaos.recovery_time import Calm
from tests.chaos.run import Outcome, run, spread
from tests.chaos.schedule import Planned
from tests.chaos.servers import Servers, world
from tests.kafka.plugin import do_without
from tests.postgres import PostgresMissing

pytestmark = pytest.mark.chaos

SECONDS = 120.0
SEED = 1
PAUSE_SECONDS = 1.0  # ten events a second: what is looked for are faults, and each event costs the other tests time
CALM_SECONDS = 20.0  # of load around one fault; while it lasts, the load does
EFFECTIVE_MIN = 15  # of some twenty; one may come while another has stopped everything
KINDS_MIN = 10


@pytest.fixture(scope="module")
def servers(kafka_installed: None) -> Iterator[Servers]:
    try:
        with world() as servers:
            yield servers
    except PostgresMissing as missing:
        do_without(missing)


def test_two_minutes_of_faults_and_every_promise_is_kept(servers: Servers) -> None:
    """Of the town: with the shop beside it, two cores that also run other tests have too much to do."""
    planned = schedule.draw(SEED, SECONDS, drawn(servers, shop=False, long=False))

    outcome = run(servers, planned, Outcome(SEED, SECONDS), keep="when violated", pause_seconds=PAUSE_SECONDS)

    print(report.table(outcome))
    assert outcome.violations == [], report.table(outcome)
    assert outcome.effective.total() >= EFFECTIVE_MIN, report.table(outcome)
    assert len([kind for kind, count in outcome.effective.items() if count]) >= KINDS_MIN, report.table(outcome)


@pytest.mark.parametrize("kind", LONG)
def test_what_takes_long_breaks_no_promise_on_a_calm_day(servers: Servers, kind: str) -> None:
    """Each store restored behind the other, and an upgrade: the two minutes have no time for them."""
    planned = [Planned(0, schedule.BEGIN_SECONDS, kind, 0.0)]

    outcome = run(servers, planned, Outcome(SEED, CALM_SECONDS), keep="when violated", pause_seconds=PAUSE_SECONDS)

    assert outcome.violations == [], report.table(outcome)
    assert outcome.effective[kind] == 1, report.table(outcome)


def test_what_is_published_outside_its_transaction_is_told(servers: Servers) -> None:
    """One of the mistakes; `make chaos` plants them all."""
    assert told_of(servers, SEED, "an event is published on another connection")


def test_the_same_seed_draws_the_same_faults() -> None:
    kinds = list(KINDS)

    assert schedule.draw(7, 60, kinds) == schedule.draw(7, 60, kinds)
    assert schedule.draw(7, 60, kinds) != schedule.draw(8, 60, kinds)


def test_ten_minutes_hold_more_than_a_hundred_faults_of_every_kind() -> None:
    planned = schedule.draw(SEED, 600, list(KINDS))

    assert len(planned) > 100
    assert {one.kind for one in planned} == set(KINDS)


def test_fewer_faults_of_a_run_come_at_their_times() -> None:
    everything = schedule.draw(7, 60, list(KINDS))

    assert schedule.draw(7, 60, list(KINDS), only=[2, 5]) == [everything[2], everything[5]]


def test_a_line_that_death_cut_short_acknowledges_nothing(tmp_path: Path) -> None:
    told = tmp_path / "publisher-1"
    told.write_text("ack a b\nundo c\nack d")

    assert read_told([told, tmp_path / "never-began"], "ack") == {"a", "b"}


def test_a_recovery_is_not_timed_while_something_else_is_being_done() -> None:
    now = [0.0]
    calm = Calm(lambda: now[0])
    before = calm.seconds()

    now[0] = 2.0
    with calm.broken():
        now[0] = 10.0
        with calm.broken():
            now[0] = 11.0
        now[0] = 20.0
        assert calm.seconds() - before == 2.0
    now[0] = 23.0

    assert calm.seconds() - before == 5.0


def test_it_flows_once_all_before_and_something_later_was_read() -> None:
    calm = Waits(0, 0, 0, 0, first_unread=None, last_read=9, last_told=9)

    assert calm.flows(8)
    assert not calm.flows(9), "nothing later has been read"
    assert not calm._replace(first_unread=8).flows(8), "one of those before was overtaken"
    assert calm._replace(first_unread=9).flows(7), "what is missing was told later"


def test_ten_minutes_that_came_to_little_fall_short() -> None:
    kinds = [f"kind {number}" for number in range(10)]
    outcome = Outcome(1, 600, events=20_000)
    outcome.effective.update(dict.fromkeys(kinds, 10))
    outcome.recoveries["kind 0"] += [1.0] * 95 + [15.0] * 5

    assert outcome.falls_short() == []

    outcome.events -= 1
    outcome.effective["kind 0"] = 0
    outcome.recoveries["kind 0"] += [15.1] * 6
    assert outcome.falls_short() == [
        "Falls short: 19999 events, of 20000",
        "Falls short: 90 effective faults, of 100",
        "Falls short: 9 kinds of them, of 10",
        "Falls short: recovery p95 15.1 s, at most 15",
    ]


def test_nothing_is_said_of_the_shop_where_it_did_not_take_part() -> None:
    alone, beside = Outcome(1, 60), Outcome(1, 60, shop=True)

    assert "nothing is lost" in alone.by_promise().keys() & beside.by_promise().keys()
    assert "an order is charged once" in beside.by_promise().keys() - alone.by_promise().keys()


def test_times_are_spread_from_the_middle_to_the_worst() -> None:
    assert spread([]) == {"p50": 0.0, "p95": 0.0, "max": 0.0}
    assert spread([float(seconds) for seconds in range(101)]) == {"p50": 50.0, "p95": 95.0, "max": 100.0}
