"""A program of somebody who has read docs/stations-socket.md and nothing else."""

import json
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator

from mcommerce.routing import build_application
from tests.reference.frame_shapes import shape_of
from tests.reference.tables import ROOT, rows
from tests.stations.socket_client import DEADLINE_SECONDS

PAGE = (ROOT / "docs/stations-socket.md").read_text()
WRITTEN = [(row["direction"], row["frame"].strip("`")) for row in rows(PAGE) if "frame" in row]
SENT = {json.loads(re.findall(r'"type":("\w+")', one)[0]): shape_of(one) for way, one in WRITTEN if "from" in way}
[REQUEST] = [shape_of(one) for way, one in WRITTEN if way == "to the server"]
SITE = "https://shop.example"


class Program:
    """It keeps a copy of the live state, and lets nothing pass that the page does not say."""

    def __init__(self, socket: WebsocketCommunicator) -> None:
        self.socket, self.kinds = socket, list[str]()
        self.epoch, self.fields = "", list[str]()
        self.seqs, self.rows = dict[str, int](), dict[str, dict[int, dict[str, Any]]]()

    async def ask(self, **words: Any) -> None:
        request = {"type": "subscribe"} | words
        assert list(REQUEST.misfits(request, "request")) == []
        await self.socket.send_json_to(request)

    async def next(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind. All others are read too."""
        while True:
            message = await self.socket.receive_from(timeout=DEADLINE_SECONDS)
            text = zlib.decompress(message) if isinstance(message, bytes) else message
            frame: dict[str, Any] = json.loads(text)
            assert list(SENT[frame["type"]].misfits(frame, frame["type"])) == []
            self.kinds.append(frame["type"])
            await self.take(frame)
            if frame["type"] == kind:
                return frame

    async def take(self, frame: dict[str, Any]) -> None:
        name = frame.get("contract", "")
        if frame["type"] == "snapshot":
            self.epoch, self.fields = frame["epoch"], frame["fields"]
            self.seqs[name] = frame["seq"]
            rows = [dict(zip(self.fields, row, strict=False)) for row in zip(*frame["columns"], strict=True)]
            self.rows[name] = dict(zip(frame["numbers"], rows, strict=True))
        elif frame["type"] == "delta" and frame["epoch"] == self.epoch and self.holds(frame):
            self.seqs[name] = frame["seq"]
            for number, *parts in frame["changes"]:
                told = dict(zip([self.fields[field] for field in parts[::2]], parts[1::2], strict=True))
                self.rows[name].setdefault(number, {}).update(told)
                if not told:
                    del self.rows[name][number]
        elif frame["type"] == "delta":
            await self.ask(contracts="*", since=self.since)

    def holds(self, delta: dict[str, Any]) -> bool:
        return delta["contract"] in self.seqs and delta["prev"] <= self.seqs[delta["contract"]]

    @property
    def since(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "seqs": {**self.seqs}}

    @property
    def stations(self) -> dict[str, Any]:
        return {f"{one['feed']}/{one['station_id']}": one for rows in self.rows.values() for one in rows.values()}

    def bikes(self, number: int) -> int:
        bikes: int = self.stations[f"simulator/lyon-{number}"]["bikes"]
        return bikes


@asynccontextmanager
async def connected(path: str = "/ws/stations/", *, origin: str = SITE) -> AsyncIterator[Program]:
    headers = [(b"host", b"shop.example"), (b"origin", origin.encode())]
    socket = WebsocketCommunicator(build_application(), path, headers=headers)
    socket.scope["scheme"] = "wss"
    allowed, _code = await socket.connect(timeout=DEADLINE_SECONDS)
    if not allowed:
        raise PermissionError(origin)
    try:
        yield Program(socket)
    finally:
        await socket.disconnect(timeout=DEADLINE_SECONDS)
