"""Start a real Kafka for development, on loopback, and stop it with Ctrl-C.

From Docker where an engine answers, else from the jars that Maven fetches. What it keeps is there
again at the next start.
"""

import argparse
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.kafka.cluster import Cluster
from tests.kafka.docker import Containers, engine_answers
from tests.kafka.jars import ROOT, KafkaMissing, version

PORT = 9092  # Kafka's own
COPIES = 3  # of a topic: one broker may be away, and one lost, and nothing is
BROKERS_MAX = 5  # each is a process of some 300 MB
LOOK_SECONDS = 0.5  # between two looks whether it still runs

STARTS = "Kafka starts. The first time takes longer: what it needs is fetched."
ANSWERS = """\
Kafka {version} answers. Ctrl-C stops it; what it keeps is there at the next start. Its log is in {logs}.

    KAFKA_BOOTSTRAP_SERVERS={servers}

The site on it, in another window:  EVENTBUS_BACKEND=kafka KAFKA_BOOTSTRAP_SERVERS={servers}{copies} make run
Tests that need a broker, on it:    KAFKA_BOOTSTRAP_SERVERS={servers} make test
"""


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    ports = list(range(options.port, options.port + options.brokers))
    if taken := [port for port in ports if not is_free(port)]:
        reason = f"Port {taken[0]} cannot be had; perhaps a broker already runs there."
        return complain(f"{reason} Try: make kafka KAFKA_PORT=9192")
    folder = Path(os.environ.get("VAR_DIR") or ROOT / "var") / "kafka" / f"of-{options.brokers}"
    by_docker = options.by == "docker" if options.by else engine_answers()
    cluster = Containers(folder, ports) if by_docker else Cluster(folder, ports)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the brokers are stopped as well
    print(STARTS, file=sys.stderr)
    try:
        cluster.start()
        copies = f" KAFKA_REPLICATION={min(COPIES, options.brokers)}" if options.brokers > 1 else ""
        told = {"version": version(), "logs": folder, "servers": cluster.bootstrap_servers, "copies": copies}
        print(ANSWERS.format(**told), flush=True)
        while cluster.running:
            time.sleep(LOOK_SECONDS)
        return complain(f"Kafka has ended by itself: {folder} has its log")
    except KafkaMissing as missing:
        return complain(f"{missing}. A Docker engine would do as well.")
    except KeyboardInterrupt:
        return 0
    finally:
        cluster.stop()


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kafka", description=__doc__)
    parser.add_argument("--brokers", type=int, choices=range(1, BROKERS_MAX + 1), default=1, help="how many (1)")
    parser.add_argument("--port", type=int, default=PORT, help=f"of the first; the others take the next ({PORT})")
    parser.add_argument("--by", choices=["docker", "jars"], help="by Docker or from jars, whatever else there is")
    return parser.parse_args(arguments)


def is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def complain(what: str) -> int:
    print(what, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
