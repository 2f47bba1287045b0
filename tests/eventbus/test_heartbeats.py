"""What an operator sees of the processes there are."""

import json
import os
import re
import subprocess
from contextlib import ExitStack
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.database.storable_text import ranged
from eventbus.failpoints import armed
from eventbus.models import ProcessRow
from eventbus.operations import heartbeats
from eventbus.operations.heartbeats import DIED_SECONDS, FORGET_SECONDS, SILENT_SECONDS, Heartbeat, processes
from tests.frozen_database import without
from tests.live_site import ROOT
from tests.waiting import until

LISTED_SECONDS_MAX = 120  # of one that was killed, on whatever machine

READS = {"orders": ["products/0", "products/1"]}


@pytest.mark.django_db(transaction=True)
def test_a_process_is_seen_while_it_lives_and_leaves_no_row() -> None:
    with Heartbeat("handle", lambda: ("", READS)):
        until(processes, "a sign of life")
        [seen] = processes()
        assert (seen.role, seen.pid, seen.assignment, seen.silent) == ("handle", os.getpid(), READS, False)

    assert processes() == []


def test_a_process_names_its_release(db: None, settings: Any) -> None:
    settings.EVENTBUS = {**settings.EVENTBUS, "RELEASE": "2026.12"}
    Heartbeat("handle").beat()

    assert [one.release for one in processes()] == ["2026.12"]


def test_one_that_was_killed_is_called_silent_and_is_forgotten_in_the_end(db: None, bus_clock: Any) -> None:
    killed, other = Heartbeat("relay", lambda: ("active", {})), Heartbeat("poll")
    killed.beat()

    clock.advance(seconds=SILENT_SECONDS + 1)
    other.beat()
    assert [(one.role, one.silent) for one in processes()] == [("poll", False), ("relay", True)]

    clock.advance(seconds=LISTED_SECONDS_MAX - SILENT_SECONDS - 1)
    other.beat()
    assert [one.role for one in processes()] == ["poll"]
    assert [row.role for row in ProcessRow.objects.all()] == ["poll"]


def test_one_that_was_killed_on_this_machine_leaves_the_list_soon(db: None, bus_clock: Any) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    here, elsewhere = Heartbeat("handle"), Heartbeat("live")
    for heartbeat in (here, elsewhere):
        heartbeat.beat()
    ProcessRow.objects.filter(id=here._id).update(pid=ended.pid)
    ProcessRow.objects.filter(id=elsewhere._id).update(pid=ended.pid, host="another-machine")

    clock.advance(seconds=DIED_SECONDS + 1)
    shown = [process.role for process in processes()]
    Heartbeat("poll").beat()

    assert shown == ["live"]  # nobody here can see whether it lives
    assert [row.role for row in ProcessRow.objects.order_by("role")] == ["live", "poll"]


def test_one_that_says_that_it_lives_is_listed_though_its_process_cannot_be_seen(db: None, bus_clock: Any) -> None:
    """As in a container that has its machine's name, and numbers of processes of its own."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    Heartbeat("handle").beat()
    ProcessRow.objects.update(pid=ended.pid)

    clock.advance(seconds=DIED_SECONDS - 1)

    assert [process.role for process in processes()] == ["handle"]


def test_who_is_started_in_the_place_of_a_dead_one_takes_its_row_away(db: None, bus_clock: Any) -> None:
    """A container that is started again has its old name and its old process id."""
    Heartbeat("relay").beat()
    ProcessRow.objects.update(began_at=clock.now() - timedelta(days=1))

    assert processes() == []
    Heartbeat("relay").beat()

    assert ProcessRow.objects.count() == 1


def test_what_it_does_is_as_it_last_said_and_since_when_as_it_first_said(db: None, bus_clock: Any) -> None:
    did = ["standby"]
    heartbeat = Heartbeat("relay", lambda: (did[-1], {}))
    heartbeat.beat()
    [before] = processes()

    did.append("active")
    clock.advance(seconds=7)
    heartbeat.beat()

    [after] = processes()
    assert (before.state, after.state, after.began_at) == ("standby", "active", before.began_at)
    assert after.beat_at - before.beat_at == timedelta(seconds=7)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0.05)
    caplog.set_level("INFO", logger="eventbus.operations.heartbeats")
    with ExitStack() as gone:
        gone.enter_context(without("eventbus_process"))
        with Heartbeat("pages"):
            until(lambda: "heartbeat of this process was not written" in caplog.text, "a failure")
            gone.close()
            until(processes, "a sign of life")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["break", "error"])
def test_a_word_that_fails_is_said_again(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0.05)

    with armed(f"heartbeat.commit={way}") as plan, Heartbeat("pages"):
        until(processes, "a sign of life")

    assert plan.fired("heartbeat.commit")
    assert processes() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["break", "error"])
def test_who_cannot_say_goodbye_leaves_nonetheless_and_is_forgotten_later(bus_clock: Any, way: str) -> None:
    with armed(f"heartbeat.leave.commit={way}") as plan, Heartbeat("pages") as gone:
        until(processes, "a sign of life")
    assert plan.fired("heartbeat.leave.commit")
    assert not gone._thread.is_alive()
    assert [process.role for process in processes()] == ["pages"]

    clock.advance(seconds=FORGET_SECONDS + 1)
    Heartbeat("relay").beat()

    assert [process.role for process in processes()] == ["relay"]


@pytest.mark.django_db(transaction=True)
def test_a_supervisor_sees_that_it_lives_though_there_is_no_database(
    monkeypatch: pytest.MonkeyPatch, settings, tmp_path: Path
) -> None:
    monkeypatch.setattr(heartbeats, "BEAT_SECONDS", 0.05)
    alive = tmp_path / "alive"
    settings.EVENTBUS_LIVENESS_FILE = str(alive)

    with without("eventbus_process"), Heartbeat("relay"):
        until(alive.exists, "a first sign of life")
        os.utime(alive, (0, 0))
        until(lambda: alive.stat().st_mtime > 0, "another")


def test_status_tells_people_and_programs(db: None) -> None:
    Heartbeat("handle", lambda: ("", READS)).beat()

    said, told = StringIO(), StringIO()
    for stream, options in ((said, []), (told, ["--json"])):
        with pytest.raises(Exception, match="Nobody dispatches"):
            call_command("eventbus", "status", "--no-audit", *options, stdout=stream)

    assert ["orders", "products/0-1"] in [line.split()[-2:] for line in said.getvalue().splitlines()]
    [process] = json.loads(told.getvalue())["processes"]
    assert (process["role"], process["assignment"]) == ("handle", READS)


def test_the_desk_shows_them(admin_client: Client) -> None:
    Heartbeat("handle", lambda: ("", READS)).beat()

    page = admin_client.get(reverse("admin:eventbus_processrow_changelist"), headers={"accept-language": "fr"})

    assert "orders: products/0-1" in page.content.decode()
    assert "dernier signe de vie" in page.content.decode().lower()


def test_the_desk_does_not_call_active_who_was_killed(admin_client: Client, bus_clock: Any) -> None:
    Heartbeat("relay", lambda: ("active", {})).beat()

    pages = []
    for _ in range(2):
        page = admin_client.get(reverse("admin:eventbus_processrow_changelist"), headers={"accept-language": "fr"})
        pages.append(re.findall('class="field-state_now">([^<]*)<', page.content.decode()))
        clock.advance(seconds=SILENT_SECONDS + 1)

    assert pages == [["actif"], ["muet"]]


@pytest.mark.parametrize(
    ("partitions", "short"),
    [
        ([], ""),
        (["a/0"], "a/0"),
        (["a/0", "a/1", "a/2", "a/4", "b/5"], "a/0-2, a/4, b/5"),
        (["a/9", "a/10", "b/11"], "a/9-10, b/11"),
    ],
)
def test_partitions_that_follow_one_another_are_told_as_one(partitions: list[str], short: str) -> None:
    assert ranged(partitions) == short


def test_the_manual_says_how_long_a_process_stays_in_the_list() -> None:
    manual = " ".join((ROOT / "docs" / "operations.md").read_text().split())

    assert (
        f"is called SILENT after {SILENT_SECONDS:.0f} seconds. It is removed after {FORGET_SECONDS:.0f} seconds"
        in manual
    )
    assert f"is removed within {DIED_SECONDS:.0f} seconds" in manual
