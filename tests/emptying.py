"""Emptying the tables after a test that committed: only those that hold something, and not what `migrate` put there.

Django's own way truncates every table and then makes all content types and permissions anew: half a second a test on
PostgreSQL, most of what the suite took.
"""

from django.apps import apps
from django.db import connections, transaction
from django.test import TransactionTestCase

from eventbus.apps import note_where_groups_begin

KEPT = {"django_content_type", "auth_permission", "django_migrations"}  # no test changes them


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
        note_where_groups_begin(using=alias, apps=apps)
