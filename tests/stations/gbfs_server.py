"""A server on loopback that serves the documents of GBFS systems by their paths, and remembers what it was asked."""

import json
from collections import Counter
from typing import Any

from stations.feeds.feed_interface import Fetched
from stations.feeds.formats.gbfs import GbfsFeed
from stations.feeds.registry import feed_named
from tests.stations.feed_server import Handler, LoopbackServer

Headers = dict[str, str]


class GbfsServer(LoopbackServer):
    """Answers each path with what stands in `documents`; anything else is a 404."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[int, bytes, Headers]] = {}
        self.asked: Counter[str] = Counter()
        self.conditions: list[tuple[str, str]] = []
        super().__init__(_Handler)
        self.url = self.root

    def put(self, path: str, document: Any, status: int = 200, **headers: str) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.documents[path] = (status, body, named)

    def system(self, name: str, version: str = "2.3", **documents: Any) -> str:
        """Serve a system and return the address of its discovery. Rows are put under `data` as that version says."""
        feeds = [{"name": one, "url": f"{self.url}/{name}/{one}.json"} for one in documents]
        data: Any = {"feeds": feeds} if version >= "3" else {"fr": {"feeds": feeds}}
        self.put(f"/{name}/gbfs.json", {"version": version, "ttl": 0, "last_updated": 1, "data": data})
        for one, document in documents.items():
            self.put(f"/{name}/{one}.json", document)
        return f"{self.url}/{name}/gbfs.json"


class _Handler(Handler):
    def answer(self) -> None:
        self.of.asked[self.path] += 1
        if condition := self.headers.get("If-None-Match"):
            self.of.conditions.append((self.path, condition))
        status, body, headers = self.of.documents.get(self.path, (404, b"", {}))
        if status == 200 and condition and condition == headers.get("ETag"):
            status, body = 304, b""
        self.give(status, headers, body)


def stations(
    rows: list[Any], *, ttl: int = 0, last_updated: object = 1_780_000_000, version: str = "2.3"
) -> dict[str, Any]:
    return {"version": version, "ttl": ttl, "last_updated": last_updated, "data": {"stations": rows}}


def fetch(url: str, **limits: Any) -> Fetched:
    return feed_of(url, **limits).fetch()


def feed_of(url: str, **limits: Any) -> GbfsFeed:
    feed = feed_named(f"gbfs:here={url}", sleep=lambda seconds: None, backoff_seconds=0.001, **limits)
    assert isinstance(feed, GbfsFeed)
    return feed


def info(station_id: object = "a", **row: Any) -> dict[str, Any]:
    return {"station_id": station_id, "name": f"Place {station_id}", "lat": 45.75, "lon": 4.85, "capacity": 20} | row


def status(station_id: object = "a", **row: Any) -> dict[str, Any]:
    told = {"is_installed": True, "is_renting": True, "is_returning": True, "last_reported": 1_780_000_000}
    counts = {"num_bikes_available": 3, "num_docks_available": 7}
    return {"station_id": station_id} | told | counts | row


def told(fetched: Fetched) -> dict[str, Any]:
    return {one.key.station_id: one.state for one in fetched.readings}
