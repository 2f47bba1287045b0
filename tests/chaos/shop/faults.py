"""What is done to the shop's own processes and to the company's webhooks."""

import time

import psycopg

from tests.chaos.faults import Fault, Faults, chosen
from tests.chaos.shop.roles import COMPANY, POLLER, WEBS
from tests.waiting import is_true_within

WEB_STOP_SECONDS = 6.0  # longer than a shopper waits at one door
POLLER_STOP_SECONDS = 5.0  # longer than its lease of three
COMPANY_STOP_SECONDS = 6.0  # longer than the shop waits for its answer
MOOD_SECONDS = 10.0  # of webhooks told badly: some ten
POLL_SECONDS = 20.0  # until the new poller has asked


def kill_web(faults: Faults, draw: float) -> bool:
    with faults.webs:
        return faults.kill(chosen(WEBS, draw))


def stop_web(faults: Faults, draw: float) -> bool:
    with faults.webs:
        return faults.halt(chosen(WEBS, draw), WEB_STOP_SECONDS)


def kill_poller(faults: Faults, draw: float) -> bool:
    """And another asks the stations."""
    before = _polls(faults)
    return faults.kill(POLLER) and _polls_again(faults, before)


def stop_poller(faults: Faults, draw: float) -> bool:
    return faults.halt(POLLER, POLLER_STOP_SECONDS)


def kill_company(faults: Faults, draw: float) -> bool:
    return faults.kill(COMPANY)


def stop_company(faults: Faults, draw: float) -> bool:
    return faults.halt(COMPANY, COMPANY_STOP_SECONDS)


def roll_shop(faults: Faults, draw: float) -> bool:
    """The web processes and the poller leave in order, one after the other; then somebody orders."""
    assert faults.site.shop
    with faults.webs:
        if not all(faults.replace(name) for name in (*WEBS, POLLER)):
            return False
    return faults.site.shop.takes_orders(faults.site.shop.ordered(), POLL_SECONDS)


def tell_badly(mood: str) -> Fault:
    def fault(faults: Faults, draw: float) -> bool:
        webhooks, mischief = faults.site.folder / "webhooks", faults.site.folder / "mischief"
        with faults.webhooks:
            before = mischief.read_text().count(mood) if mischief.exists() else 0
            webhooks.write_text(mood)
            time.sleep(MOOD_SECONDS)  # the fault itself
            webhooks.unlink()
            return mischief.exists() and mischief.read_text().count(mood) > before

    return fault


def _polls(faults: Faults) -> int:
    try:
        return faults.site.number("SELECT max(id) FROM stations_pollrun WHERE outcome = 'ok'")
    except psycopg.Error:
        return 0


def _polls_again(faults: Faults, before: int) -> bool:
    return is_true_within(POLL_SECONDS, lambda: _polls(faults) > before, look=0.5)


KINDS: dict[str, Fault] = {
    "web killed": kill_web,
    "web stopped": stop_web,
    "poller killed": kill_poller,
    "poller stopped": stop_poller,
    "company killed": kill_company,
    "company stopped": stop_company,
    "shop rolled": roll_shop,
    "webhooks duplicated": tell_badly("duplicated"),
    "webhooks late": tell_badly("late"),
    "webhooks reversed": tell_badly("reversed"),
}
