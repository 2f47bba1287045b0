"""Change the product in small ways, one at a time, and tell which changes no test notices.

Works in copies of the committed tree: nothing of the checkout is touched. A survivor is either killed by a new test
or judged equivalent in tests/mutants/judged.toml, with the reason.
"""

import argparse
import json
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.mutants.judgements import Judgements
from tests.mutants.parts import PARTS, Part
from tests.mutants.relevant_tests import Known, batches
from tests.mutants.runner import EQUIVALENT, KILLED, LATE, SURVIVED, Outcome, files_of, known_tests, run_in_a_copy
from tests.mutants.sampling import Mutant, all_mutants, draw, places

SAMPLE = 100  # of each part: an hour or so a core; a part has thousands


def main(arguments: list[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    judged = Judgements.read()
    told = {}
    for name in chosen.part or PARTS:
        possible = places(all_mutants(PARTS[name]))
        drawn = draw(possible, sample=chosen.sample, seed=chosen.seed, only=chosen.only)
        outcomes = _run(_asked(PARTS[name], drawn), judged, lanes=chosen.lanes, verbose=not chosen.quiet)
        told[name] = _summary(len(possible), outcomes)
        _print(name, told[name])
        if chosen.json:
            chosen.json.write_text(json.dumps(told, indent=1))
    return 1 if any(one["survivors"] for one in told.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="any number of them; all by default")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants drawn of each part (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="chooses which are drawn (%(default)s)")
    parser.add_argument("--only", default="", help="only modules whose path holds this text")
    parser.add_argument("--lanes", type=int, default=1, help="how many run at once (%(default)s)")
    parser.add_argument("--json", type=Path, help="write what came of them to this file")
    parser.add_argument("--quiet", action="store_true", help="print each part's sums and survivors alone")
    return parser


def _asked(part: Part, drawn: list[Mutant]) -> list[tuple[Mutant, list[list[Known]]]]:
    """Each mutant with the batches of tests that are to notice it: of those that judge its module."""
    files = {module: files_of(part.tests_of(module)) for module in sorted({mutant.module for mutant in drawn})}
    known = known_tests(dict.fromkeys(file for of_module in files.values() for file in of_module))
    return [(one, batches([test for test in known if test.file in files[one.module]], one)) for one in drawn]


def _run(
    asked: list[tuple[Mutant, list[list[Known]]]], judged: Judgements, *, lanes: int, verbose: bool
) -> list[Outcome]:
    outcomes = []
    with ProcessPoolExecutor(lanes) as pool:
        running = [pool.submit(run_in_a_copy, tests, mutant) for mutant, tests in asked]
        for number, one in enumerate(as_completed(running), 1):
            outcome = judged.of(one.result())
            outcomes.append(outcome)
            if verbose:
                print(f"{number:5}/{len(asked)}", end=" ")
                _tell(outcome)
    return outcomes


def _tell(outcome: Outcome) -> None:
    by, where = f" by {outcome.by}" if outcome.by else "", f"{outcome.mutant.module}:{outcome.mutant.line}"
    print(f"{outcome.seconds:5.0f} s {outcome.end:10} {where}{by}", flush=True)
    if outcome.end == SURVIVED:
        print(outcome.diff, flush=True)


def _summary(possible: int, outcomes: list[Outcome]) -> dict[str, object]:
    ends = Counter(outcome.end for outcome in outcomes)
    survivors = [outcome for outcome in outcomes if outcome.end == SURVIVED]
    return {
        "possible": possible,
        "drawn": len(outcomes),
        **{end: ends[end] for end in (KILLED, LATE, EQUIVALENT, SURVIVED)},
        "survivors": [
            {"module": one.mutant.module, "line": one.mutant.line, "operator": one.mutant.operator, "diff": one.diff}
            for one in sorted(survivors, key=lambda one: (one.mutant.module, one.mutant.line))
        ],
    }


def _print(name: str, summary: dict[str, object]) -> None:
    sums = ", ".join(f"{key} {value}" for key, value in summary.items() if key != "survivors")
    print(f"{name}: {sums}", flush=True)
    for one in summary["survivors"]:  # type: ignore[attr-defined]
        print(f"\n{one['module']}:{one['line']} ({one['operator']})\n{one['diff']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
