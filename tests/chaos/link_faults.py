"""What is done to the links: those of one machine to PostgreSQL, or everybody's to Kafka, as the draw has it."""

import threading
import time

from tests.chaos.faults import Fault, Faults
from tests.chaos.tcp_proxy import Link

CUTS, CUT_PAUSE_SECONDS = 3, 0.5  # a line that breaks, and breaks again while everybody comes back
SILENT_SECONDS = 12.5  # longer than a worker's session of six, and than PostgreSQL waits ten in an open transaction
SLOW_SECONDS = 6.0
DELAY_SECONDS = 0.2  # each way, and more than once a question: to the other side of the world


def cut(faults: Faults, draw: float) -> bool:
    link, lock = _drawn(faults, draw)
    with lock:
        ended = 0
        for _ in range(CUTS):
            ended += link.cut()
            time.sleep(CUT_PAUSE_SECONDS)  # the fault itself
        return ended > 0


def silence(faults: Faults, draw: float) -> bool:
    """Half open: nothing passes, and nobody hangs up. Afterwards what was held back arrives, late."""
    link, lock = _drawn(faults, draw)
    with lock:
        link.silence()
        try:
            time.sleep(0.2)  # for what is passing just now
            before = link.carried
            time.sleep(SILENT_SECONDS)  # the fault itself
            return link.carried == before
        finally:
            link.mend()


def slow(faults: Faults, draw: float) -> bool:
    link, lock = _drawn(faults, draw)
    with lock:
        before = link.carried
        link.slow(DELAY_SECONDS)
        try:
            time.sleep(SLOW_SECONDS)  # the fault itself
            return link.carried > before
        finally:
            link.mend()


def _drawn(faults: Faults, draw: float) -> tuple[Link, threading.Lock]:
    servers = faults.site.servers
    return (servers.to_database, faults.postgres) if draw < 0.5 else (servers.to_broker, faults.kafka)


KINDS: dict[str, Fault] = {"link cut": cut, "link silent": silence, "link slow": slow}
