"""Wherever and however the world ends, each order comes to its right end, once."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from django.db import connection

from eventbus import failpoints
from tests.live_site import ROOT
from tests.sweep.cases import DAYS, every_case

DEADLINE_SECONDS = 1_800  # some minutes on two cores that nobody else uses
A_DAY = ("effect.answered=kill@1,payment.opened=kill@2", "append.commit=break@2,handler.done=error@3")


def sweep(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: it forks, and so must know no thread and no connection."""
    command = [sys.executable, "-m", "tests.sweep", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def test_every_order_comes_to_its_right_end_though_the_site_dies_in_a_payment_and_in_an_append() -> None:
    done = sweep(*(f"--only={faults}" for faults in A_DAY))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 faults on 2 days, 0 ended badly" in done.stdout


@pytest.mark.sweep
@pytest.mark.parametrize("arguments", [[], ["--mistakes"]], ids=["every point", "mistakes"])
def test_every_order_comes_to_its_right_end_whatever_dies_once_and_each_mistake_is_told(arguments: list[str]) -> None:
    done = sweep(*arguments)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.sweep
def test_every_order_comes_to_its_right_end_whatever_dies_once_in_what_speaks_to_kafka(kafka: str) -> None:
    done = sweep("--kafka", "--own", KAFKA_BOOTSTRAP_SERVERS=kafka)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("seed", [1, 2])
def test_each_point_and_way_has_its_day_and_none_has_too_many(seed: int) -> None:
    points = list(failpoints.points.values())

    days = list(every_case(seed, {point.name: 4 for point in points}, points))

    wanted = [(point.name, way) for point in points for way in point.ways(connection.vendor)]
    assert Counter((fault.point, fault.way) for day in days for fault in day.faults) == Counter(wanted)
    assert max(len(day.faults) for day in days) == max(sum(kind.values()) for kind in DAYS)
    assert all(len({fault.point for fault in day.faults}) == len(day.faults) for day in days)
