"""A condition on the last poll of each of many feeds, and the last good one. The feeds are one parameter."""

import json
from collections.abc import Iterable
from typing import Any

from django.db.models import BooleanField, F, Func

from stations.models import PollRun

# For each feed the index of feed and time finds two rows. A query for each feed would be too large for SQLite.
_NEWEST = "SELECT (SELECT id FROM stations_pollrun WHERE feed = name{more} ORDER BY started DESC LIMIT 1) FROM {names}"


class IsLastPoll(Func):
    """True for the last poll of each of these feeds, and for the last good one."""

    output_field = BooleanField()

    def __init__(self, feeds: Iterable[str]) -> None:
        self._feeds = list(feeds)
        super().__init__(F("id"))

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        return self._sql(compiler, "(SELECT value AS name FROM json_each(%s))", json.dumps(self._feeds))

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        return self._sql(compiler, "unnest(%s::text[]) AS name", self._feeds)

    def _sql(self, compiler: Any, names: str, feeds: object) -> tuple[str, tuple[Any, ...]]:
        column, _ = compiler.compile(self.get_source_expressions()[0])
        newest = [_NEWEST.format(more=more, names=names) for more in ("", " AND outcome = %s")]
        # The good ones come first, as the parameters do: one for the outcome, one for the names, then the names again.
        return f"{column} IN ({newest[1]} UNION {newest[0]})", (PollRun.Outcome.OK.value, feeds, feeds)
