"""The crash sweep: days in the shop with each failpoint and each way once, few on a day, and what became of the orders.

    python -m tests.sweep                                  every point and way once, few on a day
    python -m tests.sweep --seeds 20                       by twenty seeds
    python -m tests.sweep --only append.commit=kill@3      one, on a day of its own; with commas more on a day
    python -m tests.sweep --mistakes                       with mistakes made in bus and shop: each must be told

    python -m tests.sweep --postgresql                     on a PostgreSQL
    python -m tests.sweep --kafka                          over a real Kafka and PostgreSQL

Without either it runs on SQLite, or where DATABASE_URL says. The PostgreSQL is the one that DATABASE_URL names, and the
brokers those of KAFKA_BOOTSTRAP_SERVERS, which must allow sessions of a second; what is not named it starts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.kafka import temporary_broker
from tests.postgres import temporary_cluster

SYNCHRONOUS_OFF = "; PRAGMA synchronous=OFF"  # processes die here, never the machine


def main(arguments: list[str]) -> int:
    asked = read(arguments)
    missing = {}
    if (asked.kafka or asked.postgresql) and not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        missing["DATABASE_URL"] = temporary_cluster
    if asked.kafka and not os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        missing["KAFKA_BOOTSTRAP_SERVERS"] = temporary_broker
    if missing:  # the same in another process, which holds none of the threads of Kafka's clients: it forks
        with ExitStack() as stack:
            environment = os.environ | {name: stack.enter_context(start()) for name, start in missing.items()}
            return subprocess.call([sys.executable, "-m", "tests.sweep", *arguments], env=environment)
    with tempfile.TemporaryDirectory(prefix="sweep-") as place:
        set_up(Path(place))
        from tests.sweep import cases  # only now: it imports models

        servers = os.environ["KAFKA_BOOTSTRAP_SERVERS"] if asked.kafka else ""
        with cases.Sweeper(Path(place), servers) as sweeper:
            if asked.mistakes:
                return sweeper.try_mistakes()
            seeds = range(asked.seed, asked.seed + asked.seeds)
            return max(sweeper.sweep(seed, asked.only, own=asked.own) for seed in seeds)


def read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (1)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="FAULTS", help="only a day with this or these; again for more"
    )
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL")
    parser.add_argument("--kafka", action="store_true", help="over a real Kafka, with the points of that backend")
    parser.add_argument("--own", action="store_true", help="only the points that the backend alone has")
    parser.add_argument("--mistakes", action="store_true", help="make mistakes instead: each must be told")
    return parser.parse_args(arguments)


def set_up(folder: Path) -> None:
    """Make Django ready and open nothing: lives of the site are forked from here."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "mcommerce.settings",
        "VAR_DIR": str(folder / "var"),
        "DATABASE_URL": os.environ.get("DATABASE_URL", f"sqlite:///{folder / 'template.sqlite3'}"),
        "EVENTBUS_BACKEND": "memory",  # the template's; a life over Kafka makes its own
        "EVENTBUS_PARTITIONS": "1",  # the fewer, the larger the batches, and the shorter the day
        "LOG_LEVEL": "ERROR",
    }
    import django

    django.setup()
    from django.conf import settings

    options = settings.DATABASES["default"]["OPTIONS"]
    if "init_command" in options:
        options["init_command"] += SYNCHRONOUS_OFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
