"""The registry of feeds by name: "jcdecaux", "jcdecaux:lyon", "simulator"."""

from collections.abc import Callable
from typing import Any

from django.conf import settings

from stations.feeds.feed_interface import Feed
from stations.feeds.jcdecaux import BASE_URL, JCDecauxFeed

SIMULATOR = "simulator"
SIMULATOR_API = "/vls/v3"  # below SIMULATOR_URL
SIMULATOR_KEY = "simulated"  # like JCDecaux, the simulator refuses requests without a key; any word will do


class UnknownFeed(ValueError):
    """No feed has this name."""


def feed_named(name: str, *, url: str = "", **limits: Any) -> Feed:
    """Return the feed of that name, at its own address or at `url`.

    Raises UnknownFeed for an unknown name, and UnknownVersion if `url` does not end in a version of the API.
    """
    source, _, contract = name.strip().casefold().partition(":")
    try:
        make = _FEEDS[source]
    except KeyError:
        raise UnknownFeed(f"No feed is called {name!r}: use one of {', '.join(_FEEDS)}, or jcdecaux:lyon.") from None
    return make(contract or None, url, limits)


def kind_of(feed: str) -> str:
    """Return the first word of a feed's name: "jcdecaux" of "jcdecaux:lyon"."""
    return feed.partition(":")[0]


def is_simulated(feed: str) -> bool:
    """Return True if the stations of this feed are invented, which pages must say."""
    return kind_of(feed) == SIMULATOR


def _jcdecaux(contract: str | None, url: str, limits: dict[str, Any]) -> Feed:
    return JCDecauxFeed(contract=contract, base_url=url or BASE_URL, key=settings.JCDECAUX_API_KEY, **limits)


def _simulator(contract: str | None, url: str, limits: dict[str, Any]) -> Feed:
    base_url = url or settings.SIMULATOR_URL.rstrip("/") + SIMULATOR_API
    return JCDecauxFeed(contract=contract, base_url=base_url, key=SIMULATOR_KEY, source=SIMULATOR, **limits)


_FEEDS: dict[str, Callable[[str | None, str, dict[str, Any]], Feed]] = {
    "jcdecaux": _jcdecaux,
    SIMULATOR: _simulator,
}

SOURCES = tuple(_FEEDS)
