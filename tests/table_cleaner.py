"""Emptying the tables after a test that committed: only those that hold something, and not what `migrate` put there.

Django's own way truncates every table and then makes all content types and permissions anew: half a second a test on
PostgreSQL, most of what the suite took.
"""

from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connections, transaction
from django.test import TransactionTestCase

from eventbus import backends, registry
from eventbus.apps import note_where_groups_begin
from eventbus.models import ConsumerGroup, Progress

KEPT = {"django_content_type", "auth_permission", "django_migrations"}  # no test changes them
BEGUN = (ConsumerGroup, Progress)  # what `migrate` fills for the groups that there are
ALL_GROUPS = registry.groups  # a test may let only some of them listen, and that ends after its tables are emptied
_begun: dict[str, list[list[Any]]] = {}  # the rows of each, by what they follow from


def empty_tables(case: TransactionTestCase) -> None:
    """What TransactionTestCase does when a test is over."""
    for alias in case._databases_names(include_mirrors=False):
        connection = connections[alias]
        quote = connection.ops.quote_name
        tables = [quote(name) for name in connection.introspection.django_table_names() if name not in KEPT]
        holds = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables)
        # Every reference between tables is checked at the COMMIT, so any order will do.
        with transaction.atomic(using=alias), connection.cursor() as cursor:
            cursor.execute(holds)
            for (table,) in cursor.fetchall():
                cursor.execute(f"DELETE FROM {table}")
        let_groups_begin(alias)


def let_groups_begin(alias: str) -> None:
    """What `migrate` does at its end, in empty tables. In memory that is the same each time: it is asked for once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "groups", ALL_GROUPS)
        _let_all_groups_begin(alias)


def _let_all_groups_begin(alias: str) -> None:
    groups = sorted((name, sorted(group.topics)) for name, group in registry.groups.items())
    following = repr((alias, connections[alias].vendor, settings.EVENTBUS, groups))
    if following in _begun and backends.current().in_process:
        backends.current().reset()
        for model, rows in zip(BEGUN, _begun[following], strict=True):
            model.objects.using(alias).bulk_create(rows)
    else:
        note_where_groups_begin(using=alias, apps=apps)
        _begun[following] = [list(model.objects.using(alias).all()) for model in BEGUN]
