"""The registry of feeds by name: "jcdecaux", "jcdecaux:lyon", "simulator", "gbfs:<address>"."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings

from stations.feeds.feed_interface import Feed
from stations.feeds.feed_names import GBFS, gbfs_entry, is_gbfs, kind_of
from stations.feeds.gbfs import GbfsFeed
from stations.feeds.jcdecaux import BASE_URL, JCDecauxFeed

CYCLOCITY_URL = "https://api.cyclocity.fr/contracts/{contract}/gbfs/v3/gbfs.json"  # of the same operator
SIMULATOR = "simulator"
SIMULATOR_API = "/vls/v3"  # below SIMULATOR_URL
SIMULATOR_KEY = "simulated"  # like JCDecaux, the simulator refuses requests without a key; any word will do


class UnknownFeed(ValueError):
    """No feed has this name."""


def feed_named(name: str, *, url: str = "", **limits: Any) -> Feed:
    """Return the feed of that name, at its own address or at `url`.

    Raises UnknownFeed for an unknown name, and UnknownVersion if `url` does not end in a version of the API.
    """
    if kind_of(name.strip().casefold()) == GBFS:
        return _gbfs(name.strip(), url, limits)
    source, _, contract = name.strip().casefold().partition(":")
    try:
        make = _FEEDS[source]
    except KeyError:
        raise UnknownFeed(
            f"No feed is called {name!r}: use one of {', '.join(_FEEDS)}, jcdecaux:lyon, gbfs:<address>."
        ) from None
    return make(contract or None, url, limits)


def is_simulated(feed: str) -> bool:
    """Return True if the stations of this feed are invented, which pages must say."""
    return kind_of(feed) == SIMULATOR


def _jcdecaux(contract: str | None, url: str, limits: dict[str, Any]) -> Feed:
    if contract and not url and not settings.JCDECAUX_API_KEY:
        # The same stations under the same numbers, without a key.
        own = CYCLOCITY_URL.format(contract=quote(contract, safe=""))
        return GbfsFeed(url=own, name=f"jcdecaux:{contract}", contract=contract, numbered=True, **limits)
    return JCDecauxFeed(contract=contract, base_url=url or BASE_URL, key=settings.JCDECAUX_API_KEY, **limits)


def _gbfs(entry: str, url: str, limits: dict[str, Any]) -> Feed:
    name, address = gbfs_entry(entry)
    if not address:  # the name of a feed whose address the settings know
        known = dict(map(gbfs_entry, filter(is_gbfs, settings.STATIONS_FEEDS)))
        address = known.get(name, "")
    if not (url or address):
        raise UnknownFeed(f"No address of {entry!r} is known: write it as gbfs:https://host/gbfs.json.")
    return GbfsFeed(url=url or address, name=name, contract=name.partition(":")[2], **limits)


def _simulator(contract: str | None, url: str, limits: dict[str, Any]) -> Feed:
    base_url = url or settings.SIMULATOR_URL.rstrip("/") + SIMULATOR_API
    return JCDecauxFeed(contract=contract, base_url=base_url, key=SIMULATOR_KEY, source=SIMULATOR, **limits)


_FEEDS: dict[str, Callable[[str | None, str, dict[str, Any]], Feed]] = {
    "jcdecaux": _jcdecaux,
    SIMULATOR: _simulator,
}

SOURCES = (*_FEEDS, GBFS)
