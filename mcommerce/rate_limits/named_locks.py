"""Locks by name: of transactions that take a turn of the same name, one runs after the other."""

from django.db import transaction
from django.utils import timezone

from mcommerce.rate_limits.models import CacheEntry
from mcommerce.rate_limits.visitor_identity import keyed_hash


def take_turn(*names: object) -> None:
    """Wait until no other transaction holds one of these turns. The caller's transaction releases them at its end."""
    assert transaction.get_connection().in_atomic_block, "a turn lasts as long as a transaction"
    if not names:
        return
    keys = sorted(f"turn:{keyed_hash(name)}" for name in set(names))  # sorted: no deadlock
    rows = [CacheEntry(cache_key=key, value="", expires=timezone.now()) for key in keys]
    # Writing a row locks it on any database, until the transaction ends. No other transaction sees the row.
    CacheEntry.objects.bulk_create(rows, update_conflicts=True, unique_fields=["cache_key"], update_fields=["expires"])
    CacheEntry.objects.filter(cache_key__in=keys).delete()
