"""Measure the bus, the poll and the pages beside their peers, on SQLite and on PostgreSQL.

    python -m benchmarks [--quick] [--only NAME] [--out bench.json]

Prints a table and writes the rows as JSON. Exits with 1 when a row is missing: a figure that was not measured is a
regression nobody sees. So it does when a firm goal is not met, which no machine comes near; any other is marked, and
fails with --strict only, since machines differ.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.plan import OVER_KAFKA, PLACES, modules, names, wanted
from tests.kafka import KafkaMissing, temporary_broker
from tests.postgres import PostgresMissing, temporary_cluster

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("name", "backend", "database", "median", "worst", "unit", "beside", "beside_median", "ratio", "goal", "met")


def main() -> int:
    options = read_arguments()
    rows: list[dict[str, object]] = []
    for place in PLACES:
        if not modules(options.only, place):
            continue
        try:
            with site_on(place) as environment:
                rows += measure(place, environment, quick=options.quick, only=options.only)
        except (PostgresMissing, KafkaMissing) as missing:
            print(f"{place}: {missing}", file=sys.stderr)
    options.out.write_text(json.dumps(rows, indent=2) + "\n")
    print_table(rows)
    return verdict(rows, only=options.only, strict=options.strict)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the fewest rounds that make a median, smaller loads")
    parser.add_argument("--only", default="", help=f"beginning of a name: {', '.join(names())}".replace("%", "%%"))
    parser.add_argument("--out", type=Path, default=ROOT / "bench.json")
    parser.add_argument("--strict", action="store_true", help="fail when any goal is not met")
    options = parser.parse_args()
    if not wanted(options.only):
        parser.error(f"No figure's name begins with {options.only!r}: --help shows them all")
    return options


@contextmanager
def site_on(place: str) -> Iterator[dict[str, str]]:
    """The environment of an empty site in a temporary folder; PostgreSQL keeps its fsync, as SQLite keeps its own."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        environment = {**os.environ, "VAR_DIR": folder, "DEBUG": "0", "DEMO": "0"}
        if place == "sqlite":
            yield environment | {"DATABASE_URL": f"sqlite:///{folder}/site.sqlite3"}
            return
        with ExitStack() as stack:
            environment |= {"DATABASE_URL": stack.enter_context(temporary_cluster(durable=True))}
            if place in OVER_KAFKA:
                given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
                servers = given or stack.enter_context(temporary_broker(on_disk=True))
                environment |= {"EVENTBUS_BACKEND": "kafka", "KAFKA_BOOTSTRAP_SERVERS": servers}
            yield environment


def measure(place: str, environment: dict[str, str], *, quick: bool, only: str) -> list[dict[str, object]]:
    """Run a child, since Django knows one database a process, and read what it measured."""
    out = Path(environment["VAR_DIR"]) / "rows.json"
    command = [sys.executable, "-m", "benchmarks.site", f"--place={place}", f"--out={out}", f"--only={only}"]
    subprocess.run(command + ["--quick"] * quick, cwd=ROOT, env=environment)
    rows: list[dict[str, object]] = json.loads(out.read_text()) if out.exists() else []
    return rows


def print_table(rows: list[dict[str, object]]) -> None:
    cells = [COLUMNS, *(tuple(shown(row[column]) for column in COLUMNS) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def verdict(rows: list[dict[str, object]], *, only: str, strict: bool) -> int:
    measured = {(row["name"], row["database"]) for row in rows}
    missing = sorted(wanted(only) - measured)
    for name, database in missing:
        print(f"missing: {name} on {database}", file=sys.stderr)
    broken = [row for row in rows if not row["met"] and (strict or row["firm"])]
    for row in broken:
        print(f"not met: {row['name']} on {row['database']}, {row['goal']}", file=sys.stderr)
    return 1 if missing or broken else 0


if __name__ == "__main__":
    sys.exit(main())
