"""Plant each fault, run the cases that should catch it, print the table. `--all` runs every case under every fault."""

import argparse
import json
import sys
from pathlib import Path

import pytest

from tests.eventbus.faults import FAULTS
from tests.eventbus.faults.session import FaultySession

CONTRACT = Path(__file__).parent.parent / "test_memory_backend.py"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.eventbus.faults", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every case under every fault: some ten minutes")
    parser.add_argument("--only", default="", help="faults whose names hold this text")
    parser.add_argument("--json", type=Path, help="write the table to this file")
    chosen = parser.parse_args()
    session = FaultySession([fault for fault in FAULTS if chosen.only in fault.name], everything=chosen.all)
    pytest.main([str(CONTRACT), "--quiet", "--no-header", "--tb=no", "-rN", "-p", "no:cacheprovider"], [session])
    if chosen.json:
        found = {"cases": session.cases, "table": session.table, "errors": session.errors}
        chosen.json.write_text(json.dumps(found))
    print("\n".join([*session.errors, *drawn(session.cases, session.table)]))
    return 1 if session.errors else 0


def drawn(cases: list[str], table: dict[str, dict[str, str]]) -> list[str]:
    """The table's lines: a row per case, a numbered column per fault; x is caught, . is missed, blank was not tried."""
    numbers = [f"{number:>3}" for number in range(1, len(table) + 1)]
    width = max(map(len, cases), default=0)
    return [
        *(f"{number} {fault}" for number, fault in zip(numbers, table, strict=True)),
        "",
        *(f"{'':{width}} {''.join(digits)}".rstrip() for digits in zip(*numbers, strict=True)),
        *(f"{case:{width}} {''.join(row.get(case, ' ') for row in table.values())}".rstrip() for case in cases),
    ]


if __name__ == "__main__":
    sys.exit(main())
