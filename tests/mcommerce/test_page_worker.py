"""The worker of the pages under real gunicorn, with an application whose visitors wait until they are let go."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.free_ports import free_ports
from tests.live_site import ROOT
from tests.waiting import until

THREADS = 2
APPLICATION = """
import pathlib, time

here = pathlib.Path(__file__).parent

def application(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        (here / f"hangs-{environ['QUERY_STRING']}").touch()
        while not (here / "go").exists():
            time.sleep(0.02)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


class Server:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        [self.port] = free_ports(1)
        (folder / "hanging.py").write_text(APPLICATION)
        command = [sys.executable, "-m", "gunicorn", "hanging:application", f"--bind=127.0.0.1:{self.port}"]
        command += [
            f"--threads={THREADS}",
            "--worker-class=mcommerce.serving.gunicorn_worker.PageWorker",
            f"--pythonpath={folder}",
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"]}, stderr=subprocess.DEVNULL)
        until(self.listens, "a server", seconds=60)

    def listens(self) -> bool:
        try:
            return self.ask("/health/live") == 200
        except OSError:
            return False

    def ask(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def visit_in_background(self, number: int, met: list[int]) -> threading.Thread:
        visitor = threading.Thread(target=lambda: met.append(self.ask(f"/hang?{number}")))
        visitor.start()
        return visitor

    def let_go(self) -> None:
        (self.folder / "go").touch()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.let_go()
    server.process.kill()
    server.process.wait()


def test_a_probe_is_answered_while_every_thread_has_a_visitor_who_waits(server: Server) -> None:
    met: list[int] = []
    visitors = [server.visit_in_background(number, met) for number in range(THREADS + 3)]
    until(lambda: len(list(server.folder.glob("hangs-*"))) == THREADS, "busy threads")

    assert server.ask("/health/live") == 200

    assert met == []
    server.let_go()
    for visitor in visitors:
        visitor.join()
    assert met == [200] * len(visitors)


def test_who_waits_when_it_is_asked_to_stop_is_answered_and_who_comes_later_finds_the_door_closed(
    server: Server,
) -> None:
    met: list[int] = []
    visitors = [server.visit_in_background(number, met) for number in range(THREADS + 3)]
    until(lambda: len(list(server.folder.glob("hangs-*"))) == THREADS, "busy threads")

    server.process.send_signal(signal.SIGTERM)
    until(lambda: is_closed(server.port), "a closed door", seconds=30)
    server.let_go()
    for visitor in visitors:
        visitor.join()

    assert met == [200] * len(visitors)
    assert server.process.wait(60) == 0


def is_closed(port: int) -> bool:
    with socket.socket() as visitor:
        return visitor.connect_ex(("127.0.0.1", port)) != 0
