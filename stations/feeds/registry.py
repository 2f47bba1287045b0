"""The registry of feeds by name: "jcdecaux", "jcdecaux:lyon", "simulator", "gbfs:<address>", "replay:<file>"."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings

from stations.feeds.feed_interface import Feed
from stations.feeds.feed_names import GBFS, REPLAY, gbfs_entry, is_gbfs, is_replay, kind_of, replay_entry
from stations.feeds.formats.gbfs import GbfsFeed
from stations.feeds.formats.jcdecaux import BASE_URL, JCDecauxFeed
from stations.feeds.recordings.recorded_answers import RecordedAnswers
from stations.feeds.recordings.recorded_feed import RecordedFeed
from stations.feeds.recordings.recording_file import BadRecording

CYCLOCITY_URL = "https://api.cyclocity.fr/contracts/{contract}/gbfs/v3/gbfs.json"  # of the same operator
JCDECAUX = "jcdecaux"
SIMULATOR = "simulator"
SIMULATOR_API = "/vls/v3"  # below SIMULATOR_URL
SIMULATOR_KEY = "simulated"  # like JCDecaux, the simulator refuses requests without a key; any word will do


class UnknownFeed(ValueError):
    """No feed has this name."""


def feed_named(name: str, *, url: str = "", **limits: Any) -> Feed:
    """Return the feed of that name, at its own address or at `url`.

    Raises UnknownFeed for an unknown name or an unreadable recording, and UnknownVersion if `url` does not end in a
    version of the API.
    """
    if is_replay(name):
        return _replay(name.strip())
    if kind_of(name.strip().casefold()) == GBFS:
        return _gbfs(name.strip(), url, limits)
    source, _, contract = name.strip().casefold().partition(":")
    try:
        make = _FEEDS[source]
    except KeyError:
        raise UnknownFeed(
            f"No feed is called {name!r}: use one of {', '.join(_FEEDS)}, jcdecaux:lyon, gbfs:<address>, replay:<file>."
        ) from None
    return make(contract or None, url, limits)


def is_simulated(feed: str) -> bool:
    """Return True if the stations of this feed are invented, which pages must say."""
    return kind_of(feed) == SIMULATOR


def is_recorded(feed: str) -> bool:
    """Return True if the stations of this feed are of another day, which pages must say."""
    return kind_of(feed) == REPLAY


def is_of_this_machine(feed: str) -> bool:
    """Return True if no operator's server is asked."""
    return is_simulated(feed) or is_recorded(feed)


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


def _replay(entry: str) -> Feed:
    """Return a feed of recorded answers, read by the reader of the feed that was recorded."""
    known = dict(map(replay_entry, filter(is_replay, settings.STATIONS_FEEDS)))
    name, path = (entry, known[entry]) if entry in known else replay_entry(entry)
    if not path:
        raise UnknownFeed(f"{entry!r} names no file: write it as replay:<name>=/path/to/recording.jsonl.gz.")
    try:
        answers = RecordedAnswers(Path(path), speed=settings.STATIONS_REPLAY_SPEED)
        return RecordedFeed(name, answers, _reader_of(answers, name))
    except BadRecording as bad:
        raise UnknownFeed(str(bad)) from None
    except ValueError:
        raise UnknownFeed(f"{path} is a recording of an address that no feed has: record it again.") from None


def _reader_of(answers: RecordedAnswers, name: str) -> Feed:
    """Return the reader of the feed that was recorded. The recording answers it, and its waits pass at once."""
    head, limits = answers.head, {"through": answers.through, "sleep": answers.wait}
    source, _, contract = head.feed.partition(":")
    if head.is_gbfs:
        numbered = source == JCDECAUX
        return GbfsFeed(
            url=head.url, name=name, contract=contract, numbered=numbered, now=lambda: answers.now, **limits
        )
    return JCDecauxFeed(contract=contract, base_url=head.url, key=SIMULATOR_KEY, source=REPLAY, **limits)


_FEEDS: dict[str, Callable[[str | None, str, dict[str, Any]], Feed]] = {
    JCDECAUX: _jcdecaux,
    SIMULATOR: _simulator,
}
