"""One at a time: who counts and then writes must not be overtaken by another of the same name."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from mcommerce.rate_limits.models import CacheEntry
from mcommerce.rate_limits.visitors import keyed_hash

KEPT_FOR = timedelta(hours=1)  # a transaction takes a second; then the row may be culled


def take_turn(*names: object) -> None:
    """Wait until no other transaction has taken one of these turns. Ours are given back when the caller's ends."""
    assert transaction.get_connection().in_atomic_block, "a turn lasts as long as a transaction"
    if not names:
        return
    keys = sorted(f"turn:{keyed_hash(name)}" for name in set(names))  # sorted: nobody waits in a circle
    rows = [CacheEntry(cache_key=key, value="", expires=timezone.now() + KEPT_FOR) for key in keys]
    # Writing a row locks it, on any database.
    CacheEntry.objects.bulk_create(rows, update_conflicts=True, unique_fields=["cache_key"], update_fields=["expires"])
