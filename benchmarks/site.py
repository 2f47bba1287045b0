"""One database's share of the benchmarks: a Django site, migrated, on the database that the environment names."""

import argparse
import json
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path

import django

from benchmarks.measure import Goal, Round, Row, side_by_side
from benchmarks.plan import modules

ROUNDS = 9
ROUNDS_QUICK = 5


@dataclass(frozen=True)
class Bench:
    """What a benchmark needs to know of where it runs."""

    backend: str
    database: str
    quick: bool

    @property
    def rounds(self) -> int:
        return ROUNDS_QUICK if self.quick else ROUNDS

    def row(
        self, name: str, ours: Round, *, unit: str, beside: str, peer: Round, goal: Goal, rounds: int | None = None
    ) -> Row:
        places = {"backend": self.backend, "database": self.database, "rounds": rounds or self.rounds}
        return side_by_side(name, ours, unit=unit, beside=beside, peer=peer, goal=goal, **places)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.site")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--place", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    wanted = modules(options.only, options.place)
    bench = open_site(wanted, quick=options.quick)
    rows = [row.as_json() for module in wanted for row in rows_of(module, bench)]
    options.out.write_text(json.dumps(rows))


def open_site(wanted: list[str], *, quick: bool) -> Bench:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from eventbus import backends

    for module in wanted:  # before `migrate`, which notes where each consumer group begins
        import_module(module)
    if not backends.current().in_process:
        call_command("eventbus", "topics", "--apply", stdout=StringIO(), stderr=StringIO())
    call_command("migrate", verbosity=0)
    print(f"{connection.vendor}: {durability()}", flush=True)
    backend = settings.EVENTBUS["BACKEND"].rpartition(".")[2].removesuffix("Backend").lower()
    return Bench(backend=backend, database=connection.vendor, quick=quick)


def rows_of(module: str, bench: Bench) -> Iterator[Row]:
    """A benchmark that raises loses its rows, which the parent reports; the others are still measured."""
    print(f"  {module} ...", flush=True)
    try:
        yield from import_module(module).measure(bench)
    except Exception:
        traceback.print_exc()


def durability() -> str:
    """What the database promises at a commit: both sides of each comparison run under it."""
    from django.db import connection

    asked = {
        "sqlite": [f"PRAGMA {name}" for name in ("journal_mode", "synchronous", "cache_size", "busy_timeout")],
        "postgresql": [
            f"SHOW {name}" for name in ("fsync", "synchronous_commit", "full_page_writes", "server_version")
        ],
    }[connection.vendor]
    with connection.cursor() as cursor:
        return ", ".join(f"{query.split()[1]} = {cursor.execute(query).fetchone()[0]}" for query in asked)


if __name__ == "__main__":
    main()
