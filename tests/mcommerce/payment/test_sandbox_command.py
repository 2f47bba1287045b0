"""`sandbox_provider`: the payment provider in a process of its own, as an operator starts and ends it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.free_ports import free_ports
from tests.live_site import ROOT, STOP_DEADLINE_SECONDS
from tests.mcommerce.payment.conftest import API_KEY


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def company_process(tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The command. It answers where it was told to, which is not where the world finds it."""
    (elsewhere,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "sandbox_provider", "--port", str(port)],
        cwd=ROOT,
        env=os.environ
        | {
            "VAR_DIR": str(tmp_path),
            "SANDBOX_PROVIDER_URL": f"http://127.0.0.1:{elsewhere}",
            "SANDBOX_PROVIDER_KEY": API_KEY,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_company_that_is_told_to_end_closes_its_books_first(
    company_process: subprocess.Popen[str], tmp_path: Path, port: int, number: int
) -> None:
    assert company_process.stdout.readline()  # type: ignore[union-attr]  # it has begun
    told = requests.get(
        f"http://127.0.0.1:{port}/v1/charges", headers={"Authorization": f"Bearer {API_KEY}"}, timeout=5
    )
    assert told.json()["charges"] == []

    company_process.send_signal(number)

    assert company_process.wait(STOP_DEADLINE_SECONDS) == 0
    # SQLite's file of what was written last goes when a ledger is closed, and stays when its process dies.
    assert [path.name for path in tmp_path.glob("sandbox-provider*")] == ["sandbox-provider.sqlite3"]
