"""Plant each fault, run the cases that should catch it, print the table.

`--all` runs every case under every fault. `--none` runs every case under none, in the same haste: a case that fails
there would catch anything.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from tests.eventbus.faults import FAULTS, NO_FAULT
from tests.eventbus.faults.planting import Fault
from tests.eventbus.faults.session import CAUGHT, MISSED, FaultySession, Table

CONTRACT = Path(__file__).parent.parent / "test_memory_backend.py"
HUNG_SECONDS = 180  # a case has 15; one that cannot even be taken down after that ends the process, and says where
OPTIONS = ("--quiet", "--no-header", "--tb=no", "-rN", "-p", "no:cacheprovider", "-p", "no:threadexception")
OPTIONS += ("-o", f"faulthandler_timeout={HUNG_SECONDS}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.eventbus.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--all", action="store_true", help="every case under every fault, and under none: two hours")
    parser.add_argument("--none", action="store_true", help="every case under no fault: half a minute")
    parser.add_argument("--only", action="append", help="faults whose names hold this text; any number")
    parser.add_argument("--part", type=int, default=1, help="which part of them, from 1 on")
    parser.add_argument("--of", type=int, default=1, help="how many parts there are: processes share the work so")
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    chosen = parser.parse_args()
    texts = chosen.only or [""]
    faults = [one for one in FAULTS[chosen.part - 1 :: chosen.of] if any(text in one.name for text in texts)]
    faults = [NO_FAULT] if chosen.none else faults + [NO_FAULT] * chosen.all
    session = FaultySession(faults, everything=chosen.all or chosen.none)
    pytest.main([str(CONTRACT), *OPTIONS], [session])
    if chosen.json:
        found = {"cases": session.cases, "table": session.table, "errors": session.errors}
        chosen.json.write_text(json.dumps(found))
    print("\n".join([*session.errors, *drawn(session.cases, session.table, faults)]))
    calm = set(session.table.get(NO_FAULT.name, {}).values())
    return 0 if calm == ({MISSED} if NO_FAULT in faults else set()) and not session.errors else 1


def drawn(cases: Sequence[str], table: Table, faults: Sequence[Fault]) -> list[str]:
    """The table's lines: the faults by number, then each case with the numbers of those that it catches.

    In brackets is what it should have caught.
    """
    width = max(map(len, cases), default=0)
    lines = [f"{number:4} {fault.name}" for number, fault in enumerate(faults, 1)]
    for case in cases:
        caught, missed = [], []
        for number, fault in enumerate(faults, 1):
            outcome = table[fault.name].get(case)
            if outcome == CAUGHT:
                caught.append(f"{number}")
            elif outcome == MISSED and case in fault.fails:
                missed.append(f"({number})")
        lines.append(f"{case:{width}}  {' '.join(caught + missed)}")
    return lines


def leave(code: int) -> NoReturn:
    """End the process at once: a thread that a lie keeps going would hold up an orderly exit for ever."""
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
