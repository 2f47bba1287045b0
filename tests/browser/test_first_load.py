"""Little data: all that a browser fetches to show the page of one city for the first time.

The site is a deployed one, so scripts and sheets come as its server compresses them. Pages are counted as the shipped
proxy compresses them, frames of the socket as they travel. The files of other projects are left out: the manifest of
the vendored files names them.
"""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import CDPSession, Page, Request, expect

from tests.browser.test_map import CITY, DASHBOARD, STATION, see_live
from tests.deployed_site import PROXY_HEADERS, DeployedSite, running_deployed_site
from tests.stations.vendored_files import manifest
from tests.waiting import until

pytestmark = pytest.mark.viewports

FIRST_LOAD_BYTES_MAX = 60_000
PROXY_GZIP_LEVEL = 5  # what Caddy's `encode gzip` uses; its zstd is not larger
HASH = re.compile(r"\.[0-9a-f]{12}(?=\.\w+$)")  # in the name of a collected file
WAIT_SECONDS = 90  # as the other pages of a busy machine
WORKER = "/static/stations/cluster_worker.js"  # comes last
VENDOR = "/static/stations/vendor/"
PAGES = ["/", "/cart/", DASHBOARD, STATION, "/stations/history/simulator/lyon-1001/", "/stations/cities/lyon/"]
OWN = re.compile(r"(orders|site|slots|stations)/(?!vendor/)")
UNREADABLE = re.compile("SyntaxError|Failed to fetch")
COMPRESSED = {"br", "gzip", "zstd"}


@pytest.fixture(scope="module")
def deployed_site(tmp_path_factory: pytest.TempPathFactory, prepared_database: Path) -> Iterator[DeployedSite]:
    with running_deployed_site(tmp_path_factory.mktemp("deployed"), prepared_database) as site:
        yield site


class Loaded:
    """What a page has fetched: bytes by address, but for vendored files, and bytes of the frames of its socket."""

    def __init__(self, page: Page) -> None:
        self._requests: list[Request] = []
        self._frames: list[str | bytes] = []
        self._extensions = ""
        page.context.on("requestfinished", lambda request: self._requests.append(request))
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: self._frames.append(frame)))
        browser: CDPSession = page.context.new_cdp_session(page)
        browser.send("Network.enable")
        browser.on("Network.webSocketHandshakeResponseReceived", self._note_extensions)

    def _note_extensions(self, told: dict) -> None:
        headers = {name.lower(): value for name, value in told["response"]["headers"].items()}
        self._extensions = headers.get("sec-websocket-extensions", "")

    @property
    def names(self) -> set[str]:
        return {HASH.sub("", urlsplit(request.url).path) for request in self._requests}

    @property
    def files(self) -> dict[str, int]:
        found = {urlsplit(request.url).path: request for request in self._requests}
        return {path: wire_bytes(request) for path, request in found.items() if not is_vendored(path)}

    @property
    def frames(self) -> list[int]:
        """The bytes of each frame, which uvicorn compresses one after the other if the browser takes that."""
        if "permessage-deflate" not in self._extensions:
            return [len(as_bytes(frame)) for frame in self._frames]
        pack = zlib.compressobj(wbits=-12, memLevel=5)  # as the server's library does
        return [len(pack.compress(as_bytes(frame)) + pack.flush(zlib.Z_SYNC_FLUSH)) - 4 for frame in self._frames]


def is_vendored(path: str) -> bool:
    names = {f"{VENDOR}{name}/{file['to']}" for name, package in manifest().items() for file in package["files"]}
    return HASH.sub("", path) in names


def as_bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def wire_bytes(request: Request) -> int:
    """The bytes of an answer's body as they travel; what the server leaves as it is, the proxy compresses."""
    answer = request.response()
    assert answer is not None
    if answer.header_value("content-encoding") in COMPRESSED:
        return int(answer.header_value("content-length") or len(answer.body()))
    return min(len(gzip.compress(answer.body(), PROXY_GZIP_LEVEL)), len(answer.body()))


def test_a_page_of_lyon_loads_little(open_page: Callable[..., Page], deployed_site: DeployedSite) -> None:
    page = open_page(extra_http_headers=PROXY_HEADERS)
    loaded = Loaded(page)

    see_live(page, CITY)
    expect(page.locator("#dashboard")).to_have_attribute("data-stations", "2556")
    expect(page.locator("#map")).to_have_attribute("data-renders", re.compile(r"\d"))

    until(lambda: page.title() and WORKER in loaded.names, "the script of the clusters' worker", seconds=WAIT_SECONDS)

    files, frames = loaded.files, loaded.frames
    told = "\n".join(f"{size:6} {path}" for path, size in sorted(files.items(), key=lambda file: -file[1]))
    told += f"\n{sum(frames)} in the frames of the socket: {frames}"
    print(told)  # for who measures, with pytest -s
    assert min(len(files), len(frames)) > 2
    assert sum(files.values()) + sum(frames) <= FIRST_LOAD_BYTES_MAX, told


def test_every_script_of_a_deployed_site_can_be_read(
    open_page: Callable[..., Page], deployed_site: DeployedSite
) -> None:
    """On a page without what the scripts look for: some fail there, but each is a module."""
    page = open_page(extra_http_headers=PROXY_HEADERS)
    page.goto("/health/live")
    collected = json.loads((deployed_site.tree / "staticfiles/staticfiles.json").read_text())["paths"]
    scripts = [hashed for name, hashed in collected.items() if name.endswith(".js") and OWN.match(name)]

    failed = page.evaluate(
        """scripts => Promise.all(scripts.map((script) => import(`/static/${script}`).then(() => "", String)))""",
        scripts,
    )

    assert len(scripts) > 40
    assert [f"{script}: {why}" for script, why in zip(scripts, failed, strict=True) if UNREADABLE.search(why)] == []


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_a_deployed_site_run_their_scripts(
    open_page: Callable[..., Page], deployed_site: DeployedSite, path: str
) -> None:
    page = open_page(extra_http_headers=PROXY_HEADERS)

    page.goto(path)

    page.wait_for_load_state("networkidle")
    assert page.locator("h1").count() == 1  # `open_page` fails if a script did
