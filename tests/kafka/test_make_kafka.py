"""`make kafka`: a broker for whoever works on the site, there until Ctrl-C and with its data at the next start."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.free_ports import free_ports
from tests.kafka.records import append, make_topic, read

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 60  # an orderly stop on a loaded machine; one that takes longer has failed


def test_it_says_where_it_is_stops_with_ctrl_c_and_has_its_data_at_the_next_start(
    tmp_path: Path, kafka_installed: None
) -> None:
    [port] = free_ports(1)
    servers = f"127.0.0.1:{port}"

    with make_kafka(port, tmp_path) as lines:
        assert any(line.strip() == f"KAFKA_BOOTSTRAP_SERVERS={servers}" for line in lines)
        topic = make_topic(servers)
        append(servers, topic, b"kept")
    with make_kafka(port, tmp_path):
        assert read(servers, topic, 1) == [b"kept"]


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(command(port), cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 1
    assert f"Port {port} cannot be had" in done.stderr
    assert "make kafka KAFKA_PORT=" in done.stderr


def test_a_machine_that_can_start_none_is_told_what_to_install(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "VAR_DIR": str(tmp_path)}
    done = subprocess.run(command(free_ports(1)[0])[:-1], cwd=ROOT, capture_output=True, text=True, env=environment)

    assert done.returncode == 1
    assert "apt install default-jre-headless maven). A Docker engine would do as well." in done.stderr


@contextmanager
def make_kafka(port: int, folder: Path) -> Iterator[list[str]]:
    """What it says, while it runs; Ctrl-C afterwards, and it must have gone in order."""
    environment = {**os.environ, "VAR_DIR": str(folder)}
    with subprocess.Popen(
        command(port), cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=hear_ctrl_c
    ) as process:
        assert process.stdout
        try:
            yield [process.stdout.readline() for _ in range(3)]
            process.send_signal(signal.SIGINT)
            code = process.wait(STOP_SECONDS)
        finally:
            process.kill()  # what did not go in order must not be waited for
    assert code == 0
    with socket.create_server(("127.0.0.1", port)):
        pass  # the port is free again


def hear_ctrl_c() -> None:
    """Who runs the tests in a shell's background ignores it, and so would what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(port: int) -> list[str]:
    return [sys.executable, "-m", "tests.kafka", f"--port={port}", "--by=jars"]
