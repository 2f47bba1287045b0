"""The feeds whose stations are shown: those of STATIONS_FEEDS, and only one of them for each contract.

Rows of a feed that was removed from the setting stay in the database, but no page shows them. If two feeds supply the
same contract, a feed of that contract alone takes precedence over a feed of all contracts. Of two feeds of the same
kind, a live one takes precedence over a simulated or recorded one.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q

from stations.feeds.feed_names import name_of
from stations.feeds.registry import is_of_this_machine
from stations.feeds.row_condition import IsAmong

SETTINGS_KEPT = 4  # of this process: one, but tests have others


class ActiveFeed(NamedTuple):
    """A feed of the settings. `contract` None means all contracts."""

    name: str
    contract: str | None


class ActiveFeeds:
    """The feeds that are shown, and the one that supplies each contract."""

    def __init__(self, names: Iterable[str]) -> None:
        self.feeds = [_feed(name) for name in names]
        self._by_name = {feed.name: feed for feed in self.feeds}
        real_first = sorted(self.feeds, key=lambda feed: is_of_this_machine(feed.name))
        self._named: dict[str, ActiveFeed] = {}
        for feed in real_first:
            if feed.contract is not None:
                self._named.setdefault(feed.contract, feed)
        self._of_all = next((feed for feed in real_first if feed.contract is None), None)

    def feed_of(self, contract: str) -> ActiveFeed | None:
        """Return the one feed that supplies this contract's stations."""
        return self._named.get(contract, self._of_all)

    def named(self, name: str) -> ActiveFeed | None:
        """Return the feed of this name, or None if it is not in use."""
        return self._by_name.get(name)

    def shows(self, feed: str, contract: str) -> bool:
        supplier = self.feed_of(contract)
        return supplier is not None and supplier.name == feed

    def condition(self) -> Q:
        """Return a query condition on rows with a feed and a contract: it holds for those that `shows` allows."""
        shown = Q(IsAmong(("feed", "contract"), [(feed.name, contract) for contract, feed in self._named.items()]))
        if self._of_all:
            shown |= Q(feed=self._of_all.name) & ~Q(IsAmong(("contract",), [(contract,) for contract in self._named]))
        return shown

    def condition_of(self, contract: str) -> Q:
        """Return the condition on the rows of one contract, which an index of feed and contract answers."""
        feed = self.feed_of(contract)
        return Q(feed=feed.name, contract=contract) if feed else Q(pk__in=[])


def active_feeds() -> ActiveFeeds:
    """Return the active feeds by the current settings. They are read once: a site may have a thousand feeds."""
    return _of(tuple(settings.STATIONS_FEEDS))


def feed_names() -> list[str]:
    """Return the names of the feeds of the settings, in their order."""
    return [feed.name for feed in active_feeds().feeds]


@lru_cache(SETTINGS_KEPT)
def _of(entries: tuple[str, ...]) -> ActiveFeeds:
    return ActiveFeeds(entries)


def _feed(name: str) -> ActiveFeed:
    return ActiveFeed(name_of(name), name_of(name).partition(":")[2] or None)
