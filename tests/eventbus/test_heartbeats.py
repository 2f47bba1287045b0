"""What an operator sees of the processes there are."""

import json
import os
import re
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.database.storable_text import ranged
from eventbus.models import ProcessRow
from eventbus.operations import heartbeats
from eventbus.operations.heartbeats import DIED_SECONDS, SILENT_SECONDS, Heartbeat, processes
from tests.frozen_database import without
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
