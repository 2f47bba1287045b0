"""What a deploy costs: workers over Kafka and PostgreSQL, each of which leaves and is followed by another, under load.

python -m tests.rolling                 four workers under 500 events a second
python -m tests.rolling --to consumer   and those that follow speak KIP-848

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
WORKERS, RATE = 4, 500.0  # each of them followed by another, and events a second


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is stopped as well
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--to", choices=["classic", "consumer"], default="", help="the group protocol of the workers that follow"
    )
    asked = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rolling-")))
        database = stack.enter_context(temporary_cluster(durable=True))
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or stack.enter_context(temporary_broker())
        os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.rolling.load_app.settings", "VAR_DIR": str(folder)}
        django.setup()
        return measure(asked, folder, database, servers)


def measure(asked: argparse.Namespace, folder: Path, database: str, servers: str) -> int:
    from tests.rolling.test_rolling import Shift, roll

    shift = Shift(folder, database, servers, {})
    try:
        outcome = roll(shift, workers=WORKERS, rate=RATE, to=asked.to)
        print(outcome)
        return 0 if outcome.kept and outcome.stall <= STALL_SECONDS_MAX else 1
    finally:
        shift.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
