"""The names of feeds, made from the entries of STATIONS_FEEDS: short enough for keys, and fit for addresses."""

import re
from hashlib import blake2b
from pathlib import PurePath

GBFS = "gbfs"
REPLAY = "replay"
SHORT_LENGTH_MAX = 60  # characters after "gbfs:" or "replay:"

_ENTRY = re.compile(r"gbfs:(?:(?P<short>[a-z0-9][a-z0-9.-]{0,59})=)?(?P<url>https?://.+)", re.IGNORECASE)
_REPLAY_ENTRY = re.compile(r"replay:(?:(?P<short>[a-z0-9][a-z0-9.-]{0,59})=)?(?P<path>.+)", re.IGNORECASE)
_CYCLOCITY = re.compile(r"https?://api\.cyclocity\.fr/contracts/(?P<contract>[\w-]+)/gbfs/.*", re.IGNORECASE)
_NOISE = re.compile(r"^https?://(www\.)?|[?#].*$|(/gbfs)?(\.json)?/*$", re.IGNORECASE)


def kind_of(feed: str) -> str:
    """Return the first word of a feed's name: "jcdecaux" of "jcdecaux:lyon"."""
    return feed.partition(":")[0]


def is_gbfs(entry: str) -> bool:
    return kind_of(entry).casefold() == GBFS


def gbfs_entry(entry: str) -> tuple[str, str]:
    """Return the name and the address of "gbfs:<address>" or "gbfs:<short name>=<address>"; no address: "" for it."""
    written = _ENTRY.fullmatch(entry.strip())
    if written is None:
        return entry.strip().casefold(), ""
    return f"{GBFS}:{(written['short'] or _short(written['url'])).casefold()}", written["url"]


def is_replay(entry: str) -> bool:
    return kind_of(entry).casefold() == REPLAY


def replay_entry(entry: str) -> tuple[str, str]:
    """Return the name and the path of "replay:<path>" or "replay:<short name>=<path>"; no path: "" for it."""
    written = _REPLAY_ENTRY.fullmatch(entry.strip())
    if written is None:
        return entry.strip().casefold(), ""
    stem = re.sub(r"[^a-z0-9.]+", "-", PurePath(written["path"]).name.split(".")[0].casefold()).strip("-.")
    return f"{REPLAY}:{(written['short'] or stem[:SHORT_LENGTH_MAX] or 'feed').casefold()}", written["path"]


def name_of(entry: str) -> str:
    """Return the name of the feed that this entry of STATIONS_FEEDS means."""
    if is_replay(entry):
        return replay_entry(entry)[0]
    return gbfs_entry(entry)[0] if is_gbfs(entry) else entry.strip().casefold()


def _short(url: str) -> str:
    """Return a short name for an address: the contract of JCDecaux, else host and path without noise."""
    if own := _CYCLOCITY.fullmatch(url):
        return own["contract"]
    words = re.sub(r"[^a-z0-9.]+", "-", _NOISE.sub("", url).casefold()).strip("-.")
    if words and len(words) <= SHORT_LENGTH_MAX and "?" not in url:
        return words
    digest = blake2b(url.encode(), digest_size=4).hexdigest()  # long addresses that differ have names that differ
    return f"{words[: SHORT_LENGTH_MAX - 9].strip('-.') or 'feed'}-{digest}"
