"""A server on loopback that serves the documents of GBFS systems by their paths, and remembers what it was asked."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from stations.feeds.feed_interface import Fetched
from stations.feeds.formats.gbfs import GbfsFeed
from stations.feeds.registry import feed_named

Headers = dict[str, str]


class GbfsServer:
    """Answers each path with what stands in `documents`; anything else is a 404."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[int, bytes, Headers]] = {}
        self.asked: Counter[str] = Counter()
        self.conditions: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"of": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

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

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    of: GbfsServer

    def do_GET(self) -> None:
        self.of.asked[self.path] += 1
        if condition := self.headers.get("If-None-Match"):
            self.of.conditions.append((self.path, condition))
        status, body, headers = self.of.documents.get(self.path, (404, b"", {}))
        if status == 200 and condition and condition == headers.get("ETag"):
            status, body = 304, b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


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
