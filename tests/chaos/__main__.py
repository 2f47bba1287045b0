"""Chaos: real processes over Kafka and PostgreSQL under load, with faults, and a verdict from outside.

python -m tests.chaos                                   ten minutes of seed 1
python -m tests.chaos --seconds 120 --seed 7            shorter, and other faults
python -m tests.chaos --town                            without the shop: less for the machine to do
"""

import argparse
import signal
import sys

from tests.chaos.faults import KINDS, OF_THE_TOWN
from tests.chaos.run import Outcome, run, schedule
from tests.kafka import stoppable_brokers
from tests.postgres import stoppable_cluster

WHOLE_SECONDS = 600.0  # a run so long must come to something


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is stopped as well
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=WHOLE_SECONDS, help="how long the load lasts (600)")
    parser.add_argument("--seed", type=int, default=1, help="what the faults are drawn from (1)")
    parser.add_argument("--town", action="store_true", help="the town alone, without the shop and what is done to it")
    asked = parser.parse_args(arguments)
    planned = schedule(asked.seed, asked.seconds, list(OF_THE_TOWN if asked.town else KINDS))
    with stoppable_cluster(durable=True) as database, stoppable_brokers() as broker:
        outcome = run((database, broker), planned, Outcome(asked.seed, asked.seconds), shop=not asked.town)
    short = outcome.falls_short() if asked.seconds >= WHOLE_SECONDS else []
    print(outcome, *short, sep="\n", flush=True)
    return 1 if outcome.violations or short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
