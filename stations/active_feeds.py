"""Which feed's stations are shown: those of STATIONS_FEEDS, and each contract from one of them alone.

Rows of a feed that is no longer named stay in the database and are shown nowhere. Where two feeds bring the same
contract, the one that names it goes before one of all contracts, and a real one before a simulated one.
"""

from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q

from stations.feeds.registry import is_simulated


class ActiveFeed(NamedTuple):
    """A feed of the settings; `contract` None is all of them."""

    name: str
    source: str
    contract: str | None


class ActiveFeeds:
    """The feeds that are shown, and which of them each contract is taken from."""

    def __init__(self, names: Iterable[str]) -> None:
        self.feeds = [_feed(name) for name in names]
        real_first = sorted(self.feeds, key=lambda feed: is_simulated(feed.source))
        self._named: dict[str, ActiveFeed] = {}
        for feed in real_first:
            if feed.contract is not None:
                self._named.setdefault(feed.contract, feed)
        self._of_all = next((feed for feed in real_first if feed.contract is None), None)

    def feed_of(self, contract: str) -> ActiveFeed | None:
        """The one feed that this contract's stations are taken from."""
        return self._named.get(contract, self._of_all)

    def shows(self, source: str, contract: str) -> bool:
        feed = self.feed_of(contract)
        return feed is not None and feed.source == source

    def condition(self) -> Q:
        """The same as a condition on rows that have a source and a contract."""
        shown = Q(pk__in=[])
        for contract, feed in self._named.items():
            shown |= Q(source=feed.source, contract=contract)
        if self._of_all:
            shown |= Q(source=self._of_all.source) & ~Q(contract__in=list(self._named))
        return shown


def active_feeds() -> ActiveFeeds:
    """By the settings of this moment."""
    return ActiveFeeds(settings.STATIONS_FEEDS)


def _feed(name: str) -> ActiveFeed:
    source, _, contract = name.partition(":")
    return ActiveFeed(name, source, contract or None)
