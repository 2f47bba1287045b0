"""Chaos: real processes over Kafka and PostgreSQL under load, with faults, and a verdict from outside.

python -m tests.chaos                                   ten minutes of seed 1
python -m tests.chaos --seconds 120 --seed 7            shorter, and other faults
python -m tests.chaos --town                            without the shop: less for the machine to do
python -m tests.chaos --seed 7 --only 3,9               only these faults of that run, at their times
python -m tests.chaos --seed 7 --shrink                 when it fails: again with fewer and fewer faults
python -m tests.chaos --mistakes                        with mistakes made in bus and shop: each must be told
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from tests.chaos import minimizer, mistake_trial, report, schedule
from tests.chaos.fault_kinds import drawn
from tests.chaos.run import Keep, Outcome, run
from tests.chaos.servers import world

WHOLE_SECONDS = 600.0  # a run so long must come to something


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is stopped as well
    asked = read(arguments)
    told: dict[str, object] = {}
    failed = False
    with world() as servers:
        if not asked.only_mistakes:
            planned = schedule.draw(asked.seed, asked.seconds, drawn(servers, shop=not asked.town), asked.only)
            keep: Keep = "always" if asked.keep else "when violated"
            outcome = run(servers, planned, Outcome(asked.seed, asked.seconds), keep=keep, shop=not asked.town)
            print(report.table(outcome), flush=True)
            told, failed = outcome.as_json(), bool(outcome.violations)
            if failed and asked.shrink:
                print(minimizer.shrink(servers, outcome, planned, shop=not asked.town))
            if asked.seconds >= WHOLE_SECONDS and not asked.only and (short := outcome.falls_short()):
                print(*short, sep="\n", flush=True)
                failed = True
            write(asked.json, told)  # what follows takes as long again
        if asked.mistakes or asked.only_mistakes:
            caught = mistake_trial.catch_all(servers, asked.seed, asked.only_mistakes)
            told["mistakes"] = caught
            failed = failed or not all(caught.values())
    write(asked.json, told)
    return 1 if failed else 0


def write(file: Path | None, told: dict[str, object]) -> None:
    if file:
        file.write_text(json.dumps(told, indent=2) + "\n")


def read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="how long the load lasts (600)")
    parser.add_argument("--seed", type=int, default=1, help="what the faults are drawn from (1)")
    parser.add_argument("--only", type=_numbers, default=(), metavar="N,N", help="only the faults of these numbers")
    parser.add_argument("--town", action="store_true", help="the town alone, without the shop and what is done to it")
    parser.add_argument("--keep", action="store_true", help="keep logs and timeline also when nothing was violated")
    parser.add_argument("--shrink", action="store_true", help="when it fails, look for fewer faults that do as well")
    parser.add_argument("--mistakes", action="store_true", help="then make mistakes: each must be told")
    parser.add_argument("--only-mistakes", nargs="+", default=[], metavar="NAME", help="only these mistakes, or: all")
    parser.add_argument("--json", type=Path, help="write what came of it to this file")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
