"""The source of each feed's data: its name, its address and its licence, which every answer names."""

from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from stations.feeds.feed_names import GBFS, gbfs_entry, is_gbfs, kind_of
from stations.feeds.registry import is_recorded, is_simulated

JCDECAUX_LICENCE_URL = "https://developer.jcdecaux.com/#/opendata/license"
SIMULATION = "Simulation of mcommerce: invented stations"


class Source(NamedTuple):
    """The organization that is named for a feed's data, and the licence. An empty text is unknown."""

    name: str
    url: str
    licence: str
    licence_id: str  # of SPDX
    licence_url: str


def source_of(feed: str) -> Source:
    """Return the source of a feed. Of an operator's own GBFS only the host is known: its licence is its own."""
    if is_simulated(feed):
        return Source(SIMULATION, "", "CC0 1.0", "CC0-1.0", "")
    if is_recorded(feed):
        return Source(f"{feed} (recorded)", "", "", "", "")  # whose it was stands in the file, and its licence does not
    if kind_of(feed) == GBFS:
        host = _host_of(feed)
        return Source(host or feed, f"https://{host}/" if host else "", "", "", "")
    return Source("JCDecaux", "https://developer.jcdecaux.com/", "Open Licence", "", JCDECAUX_LICENCE_URL)


def _host_of(feed: str) -> str:
    """Return the host of a GBFS feed's address. The rest of the address may hold a key, so nobody is told it."""
    known = dict(map(gbfs_entry, filter(is_gbfs, settings.STATIONS_FEEDS)))
    return urlsplit(known.get(feed, "")).hostname or ""
