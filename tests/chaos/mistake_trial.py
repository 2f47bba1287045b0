"""The oracle's own trial: with each of these mistakes in the bus a short run tells of the promise that it breaks."""

from collections.abc import Container, Sequence

from tests.chaos.fault_kinds import left_out
from tests.chaos.load_app.planted_mistakes import IN_THE_BUS
from tests.chaos.run import Outcome, run
from tests.chaos.schedule import Planned
from tests.chaos.servers import Servers
from tests.chaos.shop.planted_mistakes import IN_THE_SHOP

SECONDS = 10.0  # of load without a fault
FAULT_SECONDS = 4.0  # more for each
WAIT_SECONDS = 25.0  # for what comes late; what is lost is waited for as long
SHOP_SECONDS = 30.0  # of load: some thirty orders, with everything that may become of one
SHOP_PATIENCE_SECONDS = 75.0  # an order's deadline, and the questions and answers after it
NONE = "none"  # nothing is planted, and nothing may be told: else the others prove little
ALL = {**IN_THE_BUS, **IN_THE_SHOP}


def catch_all(servers: Servers, seed: int, only: Sequence[str]) -> dict[str, bool]:
    """By name, whether it was caught; `none`, whether nothing was told where nothing was wrong."""
    names = [NONE, *ALL] if not only or list(only) == ["all"] else list(only)
    return {name: told_of(servers, seed, name) for name in names}


def told_of(servers: Servers, seed: int, name: str) -> bool:
    """Whether a run with this mistake told of what it breaks. The shop is there where it is the shop's."""
    shop = name == NONE or ALL[name].shop
    kinds = _all_kinds(left_out(servers)) if name == NONE else list(ALL[name].under)
    planned = [Planned(number, 2.0 + number * FAULT_SECONDS, kind, 0.0) for number, kind in enumerate(kinds)]
    seconds = (SHOP_SECONDS if shop else SECONDS) + FAULT_SECONDS * len(planned)
    outcome = run(
        servers,
        planned,
        Outcome(seed, seconds, "" if name == NONE else name),
        patience=SHOP_PATIENCE_SECONDS if shop else WAIT_SECONDS,
        keep="when violated" if name == NONE else "never",
        shop=shop,
    )
    broken = {promise: count for promise, count in outcome.by_promise().items() if count}
    right = not broken if name == NONE else ALL[name].breaks in broken
    print(f"{'told' if right else 'NOT TOLD'}: {name}: {broken or f'{outcome.events} events, all well'}", flush=True)
    return right


def _all_kinds(without: Container[str]) -> list[str]:
    return sorted({kind for one in ALL.values() for kind in one.under if kind not in without})
