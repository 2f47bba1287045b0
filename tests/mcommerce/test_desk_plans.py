"""The lists of the desk, and what is looked up in them, are read by an index: the databases say how they would do it.

It is the promise that `benchmarks.desk` measures, kept where a test is fast: a missing index shows in a plan at once.
"""

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks.rows import ALSO, SMALL, fill

BIG = [model for model in admin.site._registry if model._meta.label not in SMALL]
BIG_TABLES = {model._meta.db_table for model in [*BIG, *map(apps.get_model, ALSO)]}
SMALL_TABLES = set(connection.introspection.django_table_names()) - BIG_TABLES
OF_NO_TABLE = {"CONSTANT", "subquery"}  # as SQLite says of what it has put together itself
LOOKED_UP = [(model, path) for model in BIG for path in getattr(admin.site._registry[model], "looked_up_by", ())]
ROWS = 30
# A step over a whole table, and one that needs all rows before it gives the first
SCAN = {"sqlite": re.compile(r"SCAN (\w+)"), "postgresql": re.compile(r"Seq Scan on (\w+)")}
SORT = {
    "sqlite": re.compile(r"USE TEMP B-TREE FOR (ORDER BY|DISTINCT|GROUP BY)"),
    "postgresql": re.compile(r"^\s*(-> +)?(Sort|Unique|HashAggregate)\b"),
}


@pytest.fixture
def rows(db: None) -> None:
    fill(ROWS)


def plans_of(client: Client, model: type[Model], **asked: str) -> dict[str, list[str]]:
    """How the database would answer each question of the list's page: the steps by the SQL.

    PostgreSQL reads a table of a few rows as a whole whatever its indexes: it is told not to, where it has a choice.
    """
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    with CaptureQueriesContext(connection) as questions:
        assert client.get(address, asked).status_code == 200
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        return {sql: _steps(cursor, f"{explain} {sql}") for sql in _selects(questions)}


def _selects(questions: CaptureQueriesContext) -> list[str]:
    return [question["sql"] for question in questions if question["sql"].startswith("SELECT")]


def _steps(cursor: Any, sql: str) -> list[str]:
    cursor.execute(sql)
    return [row[-1] for row in cursor.fetchall()]


def scanned(steps: list[str]) -> set[str]:
    """The big tables, by name or alias, that are read from end to end, or from the end to where the page is full."""
    names = {found[1] for step in steps if (found := SCAN[connection.vendor].search(step))}
    return names - SMALL_TABLES - OF_NO_TABLE


def sorts(steps: list[str]) -> bool:
    return any(SORT[connection.vendor].search(step) for step in steps)


def test_no_list_scans_and_sorts_a_big_table(rows: None, admin_client: Client) -> None:
    for model in BIG:
        plans = plans_of(admin_client, model)

        assert plans, model
        assert {sql: steps for sql, steps in plans.items() if scanned(steps) and sorts(steps)} == {}


def test_what_is_looked_up_is_found_by_an_index(rows: None, admin_client: Client) -> None:
    for model, path in LOOKED_UP:
        found = model._default_manager.order_by().exclude(**{f"{path}__isnull": True}).values_list(path, flat=True)
        plans = plans_of(admin_client, model, q=str(found[0]))

        assert {sql: steps for sql, steps in plans.items() if scanned(steps)} == {}, f"{model._meta.label} {path}"
