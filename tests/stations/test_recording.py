"""A poll is recorded as a whole or not at all, and only what changed is written."""

from datetime import datetime, timedelta
from time import perf_counter

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from msgspec.structs import replace

from eventbus.models import OutboxRow
from eventbus.testing import published_events, settle
from stations.events import Kind, PollFinished, StationChanged
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Change, Key, PollFailed
from stations.models import PollRun, Station, StationHistory
from stations.services import recording
from tests.stations.readings import BELLECOUR, NOON, STATE, TERREAUX

pytestmark = pytest.mark.django_db(transaction=True)


def appeared(key: Key = BELLECOUR, **state: object) -> Change:
    return Change(key, 1, (Kind.APPEARED,), replace(STATE, **state), NOON)


def changed(version: int, key: Key = BELLECOUR, **state: object) -> Change:
    return Change(key, version, (Kind.TAKEN,), replace(STATE, **state), NOON, taken=1, taken_electrical=0)


def record(*changes: Change, at: datetime = NOON, fence=lambda: None) -> PollRun:
    poll = recording.Poll(
        feed="jcdecaux:lyon", asked_at=at, began=perf_counter(), fetched=2, bad={"not an object": 1}, changes=changes
    )
    return recording.record_poll(poll=poll, now=at + timedelta(milliseconds=20), fence=fence)


def test_new_stations_are_written_told_and_counted():
    run = record(appeared(), appeared(TERREAUX))

    station = Station.objects.get(station_id=BELLECOUR.station_id)
    assert (station.version, station.bikes, station.first_seen) == (1, 10, station.changed_at)
    assert (station.polled_at, station.reported_at, station.gone) == (NOON, NOON, False)
    told = published_events(StationChanged)
    assert {(event.station_id, event.version, event.kinds) for event in told} == {
        (BELLECOUR.station_id, 1, ("appeared",)),
        (TERREAUX.station_id, 1, ("appeared",)),
    }
    assert (run.changed, run.appeared, run.gone, run.outcome) == (0, 2, 0, "ok")
    (finished,) = published_events(PollFinished)
    assert (finished.feed, finished.ok, finished.changed, finished.bad) == ("jcdecaux:lyon", True, 0, run.bad)


def test_a_change_moves_only_its_own_station_to_the_next_version():
    record(appeared(), appeared(TERREAUX))

    record(changed(2, bikes=9, mechanical=5), at=NOON + timedelta(minutes=1))

    station = Station.objects.get(station_id=BELLECOUR.station_id)
    assert (station.version, station.bikes, station.mechanical) == (2, 9, 5)
    assert (station.first_seen < station.changed_at, station.polled_at) == (True, NOON + timedelta(minutes=1))
    assert Station.objects.get(station_id=TERREAUX.station_id).version == 1
    assert published_events(StationChanged)[-1].taken == 1


@pytest.mark.parametrize("versions", [(2, 2), (2, 4)])
def test_a_poller_that_was_overtaken_writes_nothing_at_all(versions: tuple[int, int]):
    record(appeared(), appeared(TERREAUX))
    record(changed(versions[0]))

    with pytest.raises(recording.Overtaken):
        record(changed(2, TERREAUX), changed(versions[1], bikes=1))

    assert set(Station.objects.values_list("station_id", "version")) == {
        (BELLECOUR.station_id, 2),
        (TERREAUX.station_id, 1),
    }
    assert (PollRun.objects.count(), len(published_events(StationChanged))) == (2, 3)


def test_a_station_that_another_poller_saw_first_does_not_appear_twice():
    record(appeared())

    with pytest.raises(recording.Overtaken):
        record(appeared(bikes=1))

    assert Station.objects.get().bikes == 10


def test_a_poller_behind_its_fence_writes_nothing():
    def fence() -> None:
        assert connection.in_atomic_block
        raise PermissionError

    with pytest.raises(PermissionError):
        record(appeared(), fence=fence)

    assert not Station.objects.exists()
    assert not published_events(PollFinished)


def test_a_poll_without_changes_writes_no_station():
    record(appeared())

    with CaptureQueriesContext(connection) as queries:
        record()

    assert not any(
        "stations_station" in query["sql"] and "INSERT" in query["sql"]
        for query in queries
        if "pollrun" not in query["sql"] and "outbox" not in query["sql"]
    )
    assert published_events(PollFinished)[-1].changed == 0


def test_a_failed_poll_is_noted_with_its_reason():
    failed = PollFailed(Failure.THEIR_ERROR, "HTTP 502")
    poll = recording.Poll(feed="jcdecaux:lyon", asked_at=NOON, began=perf_counter(), failed=failed)

    recording.record_poll(poll=poll, now=NOON)

    run = PollRun.objects.get()
    assert (run.outcome, run.reason, run.detail) == ("failed", Failure.THEIR_ERROR, "HTTP 502")
    (finished,) = published_events(PollFinished)
    assert (finished.ok, finished.reason, finished.detail) == (False, Failure.THEIR_ERROR, "HTTP 502")


def test_history_has_one_row_for_each_version():
    record(appeared())
    record(changed(2, bikes=9))

    settle()

    rows = list(StationHistory.objects.order_by("version").values("version", "kinds", "bikes", "taken", "at"))
    assert rows == [
        {"version": 1, "kinds": ["appeared"], "bikes": 10, "taken": 0, "at": NOON},
        {"version": 2, "kinds": ["taken"], "bikes": 9, "taken": 1, "at": NOON},
    ]


def test_a_replay_leaves_history_as_it_is_and_writes_what_was_lost():
    record(appeared())
    record(changed(2, bikes=9))
    settle()
    columns = [field.name for field in StationHistory._meta.fields if field.name != "id"]
    kept, told = list(StationHistory.objects.order_by("version").values(*columns)), OutboxRow.objects.count()

    call_command("eventbus", "replay", "stations", "--all", "--json")
    assert list(StationHistory.objects.order_by("version").values(*columns)) == kept

    StationHistory.objects.filter(version=1).delete()
    call_command("eventbus", "replay", "stations", "--all", "--json")
    assert list(StationHistory.objects.order_by("version").values(*columns)) == kept
    assert OutboxRow.objects.count() == told


def test_the_oldest_history_and_polls_make_room_for_new_ones(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recording, "HISTORY_ROWS_KEPT", 2)
    monkeypatch.setattr(recording, "POLL_ROWS_KEPT", 1)
    for version in range(1, 5):
        record(appeared() if version == 1 else changed(version))
    settle()

    assert recording.forget_old() == 2 + 3

    assert list(StationHistory.objects.order_by("version").values_list("version", flat=True)) == [3, 4]
    assert PollRun.objects.count() == 1
    assert recording.forget_old() == 0


@pytest.mark.parametrize("wrong", [{"version": 0}, {"lat": 91}, {"lng": -181}, {"bikes": -1}])
def test_the_database_itself_refuses_impossible_stations(wrong: dict[str, int]):
    record(appeared())

    with pytest.raises(IntegrityError), transaction.atomic():
        Station.objects.update(**wrong)


def test_more_stations_than_fit_into_one_statement_are_written():
    many = recording.ROWS_PER_STATEMENT * 2 + 1

    record(*(appeared(Key("jcdecaux:lyon", str(number))) for number in range(1, many + 1)))
    record(*(changed(2, Key("jcdecaux:lyon", str(number))) for number in range(1, many + 1)))

    assert Station.objects.filter(version=2).count() == many
