"""The last sign of life of stations whose rows are no longer good. That of all others is the feed's last good poll."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import structs

from stations.events import Kind
from stations.feeds.feed_interface import Change

LOST = {Kind.UNREADABLE, Kind.GONE}


def with_last_seen(changes: Iterable[Change], answered_at: datetime | None) -> list[Change]:
    """Add the time of the last good poll to the changes of stations whose row turned bad or went away in this one."""
    return [structs.replace(one, seen_at=answered_at) if LOST.intersection(one.kinds) else one for one in changes]
