"""What a deploy costs: workers over Kafka and PostgreSQL, each of which leaves and is followed by another, under load.

python -m tests.rolling                       four workers under 500 events a second
python -m tests.rolling --to consumer         and those that follow speak KIP-848
python -m tests.rolling --think 60 --poll 10  a handler that takes a minute where Kafka waits ten seconds for a poll

Fails when an event is lost, handled twice or out of order, or when a partition stands still for too long. It starts a
Kafka of its own, or takes the one that KAFKA_BOOTSTRAP_SERVERS names.
"""

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import django

from tests.kafka import temporary_broker
from tests.postgres import temporary_cluster

STALL_SECONDS_MAX = 3.0  # of any partition: what a visitor takes for slow, not for broken
PROTOCOLS = ["classic", "consumer"]


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is stopped as well
    asked = read(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rolling-")))
        database = stack.enter_context(temporary_cluster(durable=True))
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or stack.enter_context(temporary_broker())
        os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.rolling.load_app.settings", "VAR_DIR": str(folder)}
        django.setup()
        return measure(asked, folder, database, servers)


def measure(asked: argparse.Namespace, folder: Path, database: str, servers: str) -> int:
    from tests.rolling.restart import roll
    from tests.rolling.rolling_site import Shift
    from tests.rolling.slow_handler import limits, think

    environment = {"KAFKA_GROUP_PROTOCOL": asked.protocol} | (limits(asked.poll) if asked.think else {})
    shift = Shift(folder, database, servers, environment)
    try:
        if asked.think:
            thought = think(shift, seconds=asked.think, poll_seconds=asked.poll)
            print(thought)
            return 0 if thought.kept else 1
        outcome = roll(shift, workers=asked.workers, restarts=asked.workers, rate=asked.rate, to=asked.to)
        print(outcome)
        return 0 if outcome.kept and outcome.stall <= STALL_SECONDS_MAX else 1
    finally:
        shift.close()


def read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=4, help="how many, each of them followed by another (4)")
    parser.add_argument("--rate", type=float, default=500, help="events a second (500)")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="classic", help="of the group (classic)")
    parser.add_argument("--to", choices=PROTOCOLS, default="", help="of the workers that follow")
    parser.add_argument(
        "--think", type=float, default=0, metavar="SECONDS", help="let one handler take so long instead"
    )
    parser.add_argument("--poll", type=float, default=10, metavar="SECONDS", help="max.poll.interval.ms for it (10)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
