"""A browser that does not read costs no memory, and one that cannot catch up is told so."""

import asyncio
import functools
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from websockets.asyncio.client import connect  # the other reads and writes one TLS connection in two threads: some hang
from websockets.exceptions import ConnectionClosed

from stations.live import ticker
from stations.live.live_state import Board
from stations.routing import sockets_for_all, sockets_for_staff
from stations.sockets import station_socket
from tests.stations import firehose, talking
from tests.stations.talking import browsing, closed_with, happens, key, on_a_loop, polled, reached, state

DEADLINE_SECONDS = 60  # for another Python to start on a loaded machine


class Daphne:
    """Calls a consumer as Daphne does, whose transport the test pauses by hand."""

    def __init__(self) -> None:
        self.transport = SimpleNamespace(producerPaused=False)
        self.protocol = SimpleNamespace(transport=self.transport, maxMessagePayloadSize=0, maxFramePayloadSize=0)
        self.sent: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def relay(protocol: Any, message: dict[str, Any]) -> None:
            if message["type"] == "websocket.send":
                self.sent.append(json.loads(message["text"]))
            await send(message)

        await talking.sockets(scope, receive, functools.partial(relay, self.protocol))

    def frames(self, kind: str) -> int:
        return sum(frame["type"] == kind for frame in self.sent)


@pytest.fixture
def _a_station(transactional_db: None) -> None:
    polled({key(): state(bikes=10)})


@pytest.mark.usefixtures("_a_station")
@on_a_loop
async def test_a_browser_that_does_not_read_is_sent_nothing_and_then_one_frame():
    daphne = Daphne()
    async with browsing(app=daphne) as browser:
        await browser.subscribe()
        daphne.transport.producerPaused = True
        for number, bikes in enumerate((9, 8, 7), start=1):
            await happens({key(): state(bikes=bikes)})
            await reached(number)
        assert daphne.frames("delta") == 0

        daphne.transport.producerPaused = False

        told = await browser.hear()
        assert (told["prev"], told["seq"], browser.bikes(key())) == (0, 3, 7)
        assert daphne.frames("delta") == 1


@pytest.mark.usefixtures("_a_station")
@on_a_loop
async def test_a_browser_hopelessly_behind_is_given_one_snapshot_and_must_come_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ticker, "Board", lambda views=(): Board(views, changes_kept_max=2))
    daphne = Daphne()
    async with browsing(app=daphne) as browser:
        await browser.subscribe()
        daphne.transport.producerPaused = True
        for number, bikes in enumerate((9, 8, 7), start=1):
            await happens({key(): state(bikes=bikes)})
            await reached(number)

        daphne.transport.producerPaused = False

        assert (await browser.hear())["type"] == "snapshot"
        assert browser.bikes(key()) == 7
        assert await closed_with(browser) == station_socket.CLOSE_BEHIND


@pytest.mark.usefixtures("_a_station")
@on_a_loop
async def test_a_browser_that_takes_nothing_for_long_is_let_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stations.sockets.station_socket.STALLED_SECONDS_MAX", 0.05)
    daphne = Daphne()
    async with browsing(app=daphne) as browser:
        await browser.subscribe()
        daphne.transport.producerPaused = True

        await happens({key(): state(bikes=9)})

        assert await closed_with(browser) == station_socket.CLOSE_BEHIND
        assert daphne.frames("delta") == 0


@pytest.mark.usefixtures("_a_station")
@on_a_loop
async def test_a_server_whose_send_waits_for_ever_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stations.sockets.station_socket.STALLED_SECONDS_MAX", 0.05)

    async def like_uvicorn(scope: Any, receive: Any, send: Any) -> None:
        async def waits(message: dict[str, Any]) -> None:
            if '"snapshot"' in message.get("text", ""):
                await asyncio.Event().wait()
            await send(message)

        await talking.sockets(scope, receive, waits)

    async with browsing(app=like_uvicorn) as browser:
        await browser.socket.send_json_to({"type": "subscribe", "contracts": "*"})

        assert await closed_with(browser) == station_socket.CLOSE_BEHIND


@pytest.fixture(params=["plain", "tls"])
def certificate(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """A key and its certificate in one file, where Daphne is to speak TLS."""
    if request.param == "plain":
        return None
    secret, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    end = datetime.now(UTC) + timedelta(hours=1)
    begin = end - timedelta(hours=2)
    builder = x509.CertificateBuilder(name, name, secret.public_key(), x509.random_serial_number(), begin, end)
    pem = tmp_path / "daphne.pem"
    pem.write_bytes(
        secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + builder.sign(secret, SHA256()).public_bytes(Encoding.PEM)
    )
    return pem


@contextmanager
def a_daphne(certificate: Path | None = None) -> Iterator[tuple["subprocess.Popen[str]", Callable[[str], Any]]]:
    """A real Daphne that runs `firehose`, and how to connect to a path of its. Who waits for its words, reads none."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.stations.firehose", str(port), *([str(certificate)] if certificate else [])]
    scheme, trusting = "ws", None
    if certificate:
        scheme, trusting = "wss", ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    def connected(path: str) -> Any:
        address = f"{scheme}://127.0.0.1:{port}{path}"
        return connect(address, ssl=trusting, max_queue=1, max_size=None, open_timeout=DEADLINE_SECONDS)

    with subprocess.Popen(
        command, cwd=Path(settings.BASE_DIR), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout and process.stdout.readline().strip() == "ready"
            yield process, connected
        finally:
            process.kill()


async def heard(client: Any, frames: int = 1) -> list[Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [await client.recv() for _ in range(frames)]


@on_a_loop
async def test_daphne_shows_that_a_client_does_not_read(certificate: Path | None):
    with a_daphne(certificate) as (process, connected):
        async with connected("/") as client:
            await client.send("a word")
            word, count = process.stdout.readline().split()  # until Daphne has felt that nobody reads
            assert word == "paused"
            assert firehose.FRAMES_UNASKED < int(count) < firehose.FRAMES_MAX

            assert await heard(client, int(count) + 1) == [*[firehose.FRAME] * int(count), count]


@on_a_loop
async def test_a_client_that_is_slow_to_read_is_told_why_daphne_closes(certificate: Path | None):
    with a_daphne(certificate) as (process, connected):
        async with connected("/farewell") as client:
            await client.send("a word")
            [_, count], late = process.stdout.readline().split(), process.stdout.readline().strip()
            assert late == "late"

            assert await heard(client, int(count)) == [firehose.FRAME] * int(count)
            with pytest.raises(ConnectionClosed) as closed:
                await heard(client)
            assert closed.value.rcvd.code == firehose.GOODBYE


@on_a_loop
async def test_daphne_writes_at_once_what_the_kernel_takes_and_the_rest_in_its_place():
    with a_daphne() as (process, connected):
        async with connected("/busy") as client:
            await client.send("a word")
            assert await heard(client) == ["at once"]  # while its loop comes to nothing else

            print(file=process.stdin, flush=True)

            assert await heard(client, 2) == [firehose.LARGE, "the end"]


def test_the_sockets_are_where_the_protocol_says():
    paths = [str(pattern.pattern) for pattern in (*sockets_for_all, *sockets_for_staff)]
    assert paths == ["ws/stations/", "ws/producer/"]
