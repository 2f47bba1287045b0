"""A server that stands for a feed, and clients that ask it without patience."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stations.feeds.formats.jcdecaux import JCDecauxFeed
from tests.stations.feed_server import KEY, AnsweringServer
from tests.stations.gbfs_server import GbfsServer


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    answering = AnsweringServer()
    yield answering
    answering.close()


@pytest.fixture
def feed_of(server: AnsweringServer) -> Iterator[Callable[..., JCDecauxFeed]]:
    """Makes a feed that asks the server: `feed_of("lyon")`, `feed_of("lyon", base_url=server.url_v1)`."""
    made: list[JCDecauxFeed] = []

    def make(contract: str | None = "lyon", **limits: object) -> JCDecauxFeed:
        given = {"base_url": server.url, "key": KEY, "sleep": lambda seconds: None, "backoff_seconds": 0.001} | limits
        made.append(JCDecauxFeed(contract=contract, **given))
        return made[-1]

    yield make
    for feed in made:
        feed.close()


@pytest.fixture
def served(settings: Any) -> Iterator[GbfsServer]:
    """A server of GBFS on this machine, which may be asked."""
    settings.STATIONS_PRIVATE_FEEDS = True
    server = GbfsServer()
    yield server
    server.close()
