"""Change the product in small ways, one at a time, and tell which changes no test notices.

Works in copies of the committed tree: nothing of the checkout is touched. A survivor is either killed by a new test
or judged equivalent in tests/mutants/judged.toml, with the reason.
"""

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.mutants.parts import PARTS
from tests.mutants.relevant_tests import batches
from tests.mutants.runner import EQUIVALENT, KILLED, LATE, SURVIVED, Outcome, judgements, known_tests, run_in_a_copy
from tests.mutants.sampling import all_mutants, draw, places

SAMPLE = 100  # of each part: an hour or so a core; a part has thousands


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--part", action="append", choices=PARTS, help="any number of them; all by default")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="mutants drawn of each part (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="chooses which are drawn (%(default)s)")
    parser.add_argument("--only", default="", help="only modules whose path holds this text")
    parser.add_argument("--lanes", type=int, default=1, help="how many run at once (%(default)s)")
    chosen = parser.parse_args(arguments)
    survivors = 0
    for name in chosen.part or PARTS:
        possible = places(all_mutants(PARTS[name]))
        drawn = draw(possible, sample=chosen.sample, seed=chosen.seed, only=chosen.only)
        known, ends = known_tests(PARTS[name].tests), Counter[str]()
        with ProcessPoolExecutor(chosen.lanes) as pool:
            running = [pool.submit(run_in_a_copy, batches(known, one), one) for one in drawn]
            for number, one in enumerate(as_completed(running), 1):
                outcome = one.result().judged(judgements())
                ends[outcome.end] += 1
                print(f"{number:5}/{len(drawn)}", end=" ")
                _tell(outcome)
        sums = ", ".join(f"{end} {ends[end]}" for end in (KILLED, LATE, EQUIVALENT, SURVIVED))
        print(f"{name}: {len(drawn)} of {len(possible)} places, {sums}", flush=True)
        survivors += ends[SURVIVED]
    return 1 if survivors else 0


def _tell(outcome: Outcome) -> None:
    by, where = f" by {outcome.by}" if outcome.by else "", f"{outcome.mutant.module}:{outcome.mutant.line}"
    print(f"{outcome.seconds:5.0f} s {outcome.end:10} {where}{by}", flush=True)
    if outcome.end == SURVIVED:
        print(outcome.diff, flush=True)


if __name__ == "__main__":
    sys.exit(main())
