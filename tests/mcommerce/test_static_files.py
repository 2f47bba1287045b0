"""A deployed site's scripts, sheets and pictures reach a browser, however it asks."""

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from mcommerce.web.static_files import BLOCK_BYTES, StaticFiles
from tests.waiting import until

SHEET = b"body { color: red }\n" * 40
LARGE = b"x" * (3 * BLOCK_BYTES)
ASKED_AT_ONCE = 20


@pytest.fixture
def server(tmp_path: Path, settings: Any) -> Iterator[tuple[str, int]]:
    """The address of uvicorn, which serves a few collected files."""
    (tmp_path / "site.css").write_bytes(SHEET)
    (tmp_path / "site.css.gz").write_bytes(gzip.compress(SHEET))
    (tmp_path / "library.js").write_bytes(LARGE)
    settings.STATIC_ROOT = tmp_path
    listening = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(uvicorn.Config(StaticFiles(), lifespan="off", log_level="warning", ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([listening])))
    thread.start()
    until(lambda: running.started, "the server")
    yield listening.getsockname()
    running.should_exit = True
    thread.join()
    listening.close()


def ask(address: tuple[str, int], *requests: str, more: str = "") -> bytes:
    """All that comes back over one connection on which all of it is asked at once. `more`: further headers."""
    with socket.create_connection(address, timeout=30) as connection:
        last = len(requests) - 1
        for number, request in enumerate(requests):
            closing = "Connection: close\r\n" if number == last else ""
            connection.sendall(f"{request} HTTP/1.1\r\nHost: x\r\n{more}{closing}\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_browser_that_asks_for_many_files_at_once_gets_all(server: tuple[str, int]) -> None:
    answers = ask(server, *["GET /static/site.css"] * ASKED_AT_ONCE)

    assert answers.count(b"HTTP/1.1 200 OK") == ASKED_AT_ONCE
    assert answers.count(SHEET) == ASKED_AT_ONCE


def test_a_browser_that_takes_compressed_files_gets_one(server: tuple[str, int]) -> None:
    answer = ask(server, "GET /static/site.css", more="Accept-Encoding: gzip\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")

    assert b"content-encoding: gzip" in head
    assert gzip.decompress(body) == SHEET


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("GET /static/none.css", b"404"), ("HEAD /static/site.css", b"200"), ("POST /static/site.css", b"405")],
)
def test_other_requests_are_answered_too(server: tuple[str, int], request_line: str, status: bytes) -> None:
    assert ask(server, request_line).startswith(b"HTTP/1.1 " + status)


def test_a_browser_that_leaves_before_the_first_byte_leaves_no_file_open(tmp_path: Path, settings: Any) -> None:
    (tmp_path / "library.js").write_bytes(LARGE)
    settings.STATIC_ROOT = tmp_path
    files = StaticFiles()
    [served] = files._files.values()
    answers: list[Any] = []
    respond = served.get_response
    served.get_response = lambda *asked: answers.append(respond(*asked)) or answers[-1]

    async def gone(message: Any) -> None:
        raise OSError("the browser left")

    scope = {"path": "/static/library.js", "method": "GET", "headers": []}
    with pytest.raises(OSError, match="the browser left"):
        asyncio.run(files(scope, None, gone))

    assert [answer.file.closed for answer in answers] == [True]
