"""Django's database cache, with exact counts.

Django's own cache loses counts: `incr` reads and then writes, and `add` may succeed twice. Above 300 entries it deletes
a third of the valid ones.
"""

import base64
import pickle
import random
from datetime import UTC, datetime
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

WRITES_PER_CULL = 100  # on average: culling costs a hundredth of a write, and the table stays near what is in use
CULLED_MAX = 1_000  # entries at once: a tenth of a second, and ten times what is written between two culls


class CountingCache(DatabaseCache):
    """A cache whose `add` and `set` are one statement, and whose `incr` locks its entry: no concurrent count is lost.

    An entry is deleted only after it has expired. Database errors reach the caller. Within a transaction, writes commit
    and roll back with it.
    """

    writes_per_cull = WRITES_PER_CULL
    _table: str  # DatabaseCache sets it

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add `delta`; return the new number. Raises ValueError where there is no such key."""
        stored = self.make_and_validate_key(key, version=version)
        connection = self._connection()
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            lock = connection.ops.for_update_sql() if connection.features.has_select_for_update else ""
            cursor.execute(
                f"SELECT value FROM {self._quoted(connection)} WHERE cache_key = %s AND expires >= %s {lock}",
                [stored, connection.ops.adapt_datetimefield_value(timezone.now())],
            )
            found = cursor.fetchone()
            if found is None:
                raise ValueError(f"Key {key!r} not found")
            value: int = pickle.loads(base64.b64decode(found[0])) + delta
            cursor.execute(
                f"UPDATE {self._quoted(connection)} SET value = %s WHERE cache_key = %s", [_packed(value), stored]
            )
        return value

    def _base_set(self, mode: str, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT) -> bool:
        """Execute `set`, `add` or `touch`; return whether it was done."""
        connection = self._connection()
        adapt = connection.ops.adapt_datetimefield_value
        now, expires = adapt(timezone.now()), adapt(self._expiry(timeout))
        table = self._quoted(connection)
        if random.random() * self.writes_per_cull < 1:
            self.cull()
        with connection.cursor() as cursor:
            if mode == "touch":
                cursor.execute(
                    f"UPDATE {table} SET expires = %s WHERE cache_key = %s AND expires >= %s", [expires, key, now]
                )
            else:
                upsert = (
                    f"INSERT INTO {table} (cache_key, value, expires) VALUES (%s, %s, %s) "
                    "ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
                )
                only_expired = f" WHERE {table}.expires < %s" if mode == "add" else ""
                cursor.execute(upsert + only_expired, [key, _packed(value), expires, *([now] if mode == "add" else [])])
            return bool(cursor.rowcount == 1)

    def cull(self) -> None:
        """Delete entries that have expired, the oldest first."""
        connection = self._connection()
        table = self._quoted(connection)
        with connection.cursor() as cursor:
            cursor.execute(
                # Twice: an entry that is rewritten between the selection and the deletion stays.
                f"DELETE FROM {table} WHERE expires < %s AND cache_key IN "
                f"(SELECT cache_key FROM {table} WHERE expires < %s ORDER BY expires LIMIT {CULLED_MAX})",
                [connection.ops.adapt_datetimefield_value(timezone.now())] * 2,
            )

    def _expiry(self, timeout: Any) -> datetime:
        seconds = self.get_backend_timeout(timeout)
        return datetime.max.replace(tzinfo=UTC) if seconds is None else datetime.fromtimestamp(seconds, tz=UTC)

    def _connection(self) -> BaseDatabaseWrapper:
        return connections[router.db_for_write(self.cache_model_class)]

    def _quoted(self, connection: BaseDatabaseWrapper) -> str:
        return str(connection.ops.quote_name(self._table))


def _packed(value: Any) -> str:
    """Encode a value in DatabaseCache's format."""
    return base64.b64encode(pickle.dumps(value, DatabaseCache.pickle_protocol)).decode("latin1")
