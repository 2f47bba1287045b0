"""Each server of the tests gets a port that nobody takes from it."""

import subprocess
import sys

from tests.live_site import ROOT

CHOOSE = "from tests.free_ports import free_ports; print(*(port for _ in range(100) for port in free_ports(3)))"
PROCESSES = 3


def test_processes_that_choose_at_the_same_time_never_get_the_same_port() -> None:
    command = [sys.executable, "-c", f"{CHOOSE}; input()"]
    asked = [
        subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    given = [process.stdout.readline().split() for process in asked if process.stdout]
    for process in asked:
        process.communicate("\n")

    chosen = [port for ports in given for port in ports]
    assert len(set(chosen)) == PROCESSES * 300
