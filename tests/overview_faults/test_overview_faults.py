"""Something of the whole site breaks: the overview names it alone, operators are told, and after its repair it is gone.

The promise is fifteen seconds each way. `python -m tests.overview_faults` measures them, and has every fault. A machine
that runs everything else meanwhile is slower, so these tests judge no time.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from tests.kafka import Cluster
from tests.overview_faults import alerts
from tests.overview_faults.bench import Bench, bench
from tests.postgres import PostgresMissing

pytestmark = pytest.mark.sites

Open = Callable[..., Bench]


def do_without(missing: str) -> NoReturn:
    (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_one(backend: str, cluster: Cluster | None = None) -> Bench:
            if not alerts.is_there():
                do_without("promtool is missing (Debian: apt install prometheus)")
            try:
                return stack.enter_context(bench(tmp_path, backend, cluster))
            except PostgresMissing as missing:
                do_without(str(missing))

        yield open_one


def test_each_fault_in_one_process_is_named_told_and_over(open_bench: Open) -> None:
    site = open_bench("memory")

    for name in ("table locked", "handler raising"):
        assert site.wrong(name) == []


def test_a_broker_that_stops_is_named_told_and_over(open_bench: Open, fresh_kafka: Cluster) -> None:
    site = open_bench("kafka", fresh_kafka)

    assert site.wrong("broker stopped") == []
