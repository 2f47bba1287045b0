"""The list of products as a WSGI process serves it and as an ASGI process does: one process each, the same visitors."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connections

from benchmarks.measure import Goal, Row, rate
from benchmarks.site import Bench

VISITORS = 4  # at the same time; more only queue on two cores
PAGES_EACH = 50  # a visitor's clicks in one round
PAGES_EACH_QUICK = 15
START_SECONDS = 60  # a loaded machine starting Django
PAGE_SECONDS = 30
HOST = "127.0.0.1"


def measure(bench: Bench) -> Iterator[Row]:
    call_command("load_demo_catalogue", verbosity=0)
    connections.close_all()
    count = PAGES_EACH_QUICK if bench.quick else PAGES_EACH
    with serving("wsgi") as wsgi, serving("asgi") as asgi:
        yield bench.row(
            "product list",
            lambda: rate(lambda: visit(wsgi, count), count=count * VISITORS),
            unit="pages/s",
            beside="the same page by ASGI",
            peer=lambda: rate(lambda: visit(asgi, count), count=count * VISITORS),
            goal=Goal(ratio_min=1.5),
        )


@contextmanager
def serving(kind: str) -> Iterator[int]:
    """A server process on a port of its own that answers already, without the bus and the poller beside its pages."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    program, *arguments = command_of(kind, port)
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    process = subprocess.Popen(command, env={**os.environ, "RUN_BUS_IN_SERVER": "0", "WEB_CONCURRENCY": "1"})
    try:
        _wait_for_answer(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def command_of(kind: str, port: int) -> list[str]:
    if kind == "wsgi":
        return ["gunicorn", "mcommerce.wsgi", f"--bind={HOST}:{port}", "--threads=4", "--log-level=warning"]
    arguments = [f"--host={HOST}", f"--port={port}", "--lifespan=off", "--no-access-log", "--log-level=warning"]
    return ["uvicorn", "mcommerce.asgi:application", *arguments]


def _wait_for_answer(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return fetch(http.client.HTTPConnection(HOST, port, timeout=PAGE_SECONDS))
        except OSError:
            time.sleep(0.1)  # between two tries of a poll that has a deadline
    raise RuntimeError("the server did not answer")


def visit(port: int, count: int) -> None:
    """Every visitor loads the page `count` times over one connection."""
    with ThreadPoolExecutor(VISITORS) as visitors:
        list(visitors.map(lambda _: _click(port, count), range(VISITORS)))


def _click(port: int, count: int) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=PAGE_SECONDS)
    for _ in range(count):
        fetch(connection)
    connection.close()


def fetch(connection: http.client.HTTPConnection, path: str = "/") -> None:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}")
