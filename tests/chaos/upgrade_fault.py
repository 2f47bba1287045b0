"""A new release comes while people are served: every role is replaced, in the manual's order, one process at a time."""

import socket
from contextlib import ExitStack

from tests.chaos.client_records import Violation
from tests.chaos.faults import ORDERED_SECONDS, Fault, Faults
from tests.chaos.processes import RELAYS, WORKERS
from tests.chaos.shop import verdict
from tests.chaos.shop.roles import POLLER, WEBS
from tests.chaos.waiting import until

SERVES_SECONDS = 60.0  # for the new release to begin, beside all else that is done to the machine


def upgrade(faults: Faults, draw: float) -> bool:
    """Handlers first, then relays and poller, then the page servers. No request may be lost, and people order on.

    Nobody else may end a worker or a page server meanwhile.
    """
    with ExitStack() as held:
        held.enter_context(faults.workers)
        held.enter_context(faults.webs)
        faults.crew.release += 1
        if not until(lambda: faults.site.manage("migrate"), SERVES_SECONDS):
            return False
        return all(faults.replace(name) for name in (*WORKERS, *RELAYS)) and _follow(faults) and _goes_on(faults)


def _follow(faults: Faults) -> bool:
    """Whether the shop's own processes were replaced, where there are any."""
    shop = faults.site.shop
    if shop is None:
        return True
    lost, ordered = shop.cut_short(), shop.ordered()
    if not (faults.replace(POLLER) and all(_replace_web(faults, name) for name in WEBS)):
        return False
    if lost := shop.cut_short() - lost:
        faults.broken.append(Violation(verdict.ANSWERED, f"{lost} requests were taken in and not answered"))
    return shop.takes_orders(ordered, ORDERED_SECONDS)


def _replace_web(faults: Faults, name: str) -> bool:
    """The next one leaves only once this one serves."""
    return faults.replace(name) and until(lambda: _listens(faults.crew.port(name)), SERVES_SECONDS)


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1.0):
        return True


def _goes_on(faults: Faults) -> bool:
    """Whether what is told from now on is handled by the new release."""
    question = """
        SELECT 1 FROM town_told AS told JOIN town_seen AS seen USING (token)
        WHERE told.id > %s AND seen.release = %s LIMIT 1
    """
    told, release = 0, faults.crew.release

    def marked() -> bool:
        nonlocal told
        told = faults.site.number("SELECT max(id) FROM town_told")
        return True

    return until(marked, SERVES_SECONDS) and until(lambda: faults.site.rows(question, told, release), SERVES_SECONDS)


KINDS: dict[str, Fault] = {"upgrade": upgrade}
