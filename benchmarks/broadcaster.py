"""A server process that sends frames to everybody who is connected, when told to on its standard input.

    python -m benchmarks.broadcaster daphne|uvicorn|bare PORT STATIONS [BUFFER]

"go SECONDS" makes it send FRAMES_PER_SECOND for so long; then it prints its resident memory in kB. `daphne` and
`uvicorn` serve the site's own sockets, whose live state hears so many changed stations a frame; `bare` is asyncio
alone, which writes the same frames to every transport. The kernel keeps BUFFER bytes for each socket, or what it likes.
"""

import os
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.twins.sockets import serve as serve_alone

FRAMES_PER_SECOND = 10
BACKLOG = 2_000  # sockets that come at once, and more


def main() -> None:
    kind, (port, stations, *buffer) = sys.argv[1], map(int, sys.argv[2:])
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    {"daphne": serve_daphne, "uvicorn": serve_uvicorn, "bare": serve_bare}[kind](listening(port, *buffer), stations)


def listening(port: int, buffer: int | None = None) -> socket.socket:
    server = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    if buffer is not None:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)  # those that it accepts inherit this
    return server


def obey(send_frame: Callable[[], None]) -> None:
    """In a thread: read commands until standard input ends, then end the process."""
    print("ready", flush=True)
    for line in sys.stdin:
        due = time.monotonic()
        for _ in range(int(float(line.split()[1]) * FRAMES_PER_SECOND)):
            send_frame()
            due += 1 / FRAMES_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
        print(resident_kb(), flush=True)
    os._exit(0)


def resident_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


# --- the site's own sockets -------------------------------------------------------------------------------------------


def site() -> Any:
    from mcommerce.asgi import application
    from stations.live import live_updates

    live_updates.TICK_SECONDS = (
        0.9 / FRAMES_PER_SECOND
    )  # the product sends four a second; a tick must be over when the next comes
    live_updates.AUDIT_SECONDS = 3_600  # the rows know nothing of these stations
    return application


def change_stations(stations: int, version: int) -> None:
    from stations.live import live_updates

    while (here := live_updates.anywhere()) is None:
        time.sleep(0.01)  # until the first browser is served: a version that nobody hears would be missing for ever
    here._receive_stations([changed(number, version) for number in range(stations)])


def changed(number: int, version: int) -> Any:
    from stations.events import Kind, StationChanged

    return StationChanged(
        feed="simulator",
        station_id=f"lyon-{number}",
        contract="lyon",
        number=number,
        version=version,
        kinds=(Kind.APPEARED if version == 1 else Kind.TAKEN,),
        name="2010 - CONFLUENCE / DARSE",
        address="Angle rue Casimir Perier / quai Rambaud",
        lat=45.743,
        lng=4.815,
        status="OPEN",
        bikes=version % 20,
        mechanical=version % 20,
        electrical=0,
        stands=20 - version % 20,
        capacity=20,
        connected=True,
        banking=True,
        bonus=False,
        overflow=False,
        gone=False,
        polled_at=datetime.now(UTC),
        taken=1,
    )


def obey_for_site(stations: int) -> None:
    versions = count(1)
    obey(lambda: change_stations(stations, next(versions)))


def serve_daphne(server: socket.socket, stations: int) -> None:
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server

    endpoints = build_endpoint_description_strings(file_descriptor=server.fileno())
    begin = threading.Thread(target=obey_for_site, args=(stations,), daemon=True).start
    Server(site(), endpoints=endpoints, signal_handlers=False, ready_callable=begin).run()


def serve_uvicorn(server: socket.socket, stations: int) -> None:
    import uvicorn

    class Told(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            threading.Thread(target=obey_for_site, args=(stations,), daemon=True).start()

    Told(uvicorn.Config(site(), log_level="warning", lifespan="off")).run(sockets=[server])


# --- asyncio alone ----------------------------------------------------------------------------------------------------


def bare_frames(stations: int) -> Iterator[bytes]:
    """The frames that the site's sockets would send, each made once for everybody."""
    import django

    django.setup()
    from stations.live.live_state import LiveState
    from stations.live.station_view import Change, StationView

    state = LiveState()
    for version in count(1):
        events = [changed(number, version) for number in range(stations)]
        changes = [Change(StationView.of(event), tuple(event.kinds), event.taken) for event in events]
        state.apply(changes, at=datetime.now(UTC))
        channel = state.channel("lyon")
        payload = channel.delta(channel.seq - stations).text.encode()
        yield b"\x81\x7e" + struct.pack(">H", len(payload)) + payload


def serve_bare(listener: socket.socket, stations: int) -> None:
    frames = bare_frames(stations)
    serve_alone(listener, BACKLOG, obey, lambda: next(frames))


if __name__ == "__main__":
    main()
