"""The oracle's own trial: with each of these mistakes in the bus a short run tells of the promise that it breaks."""

from collections.abc import Sequence

from tests.chaos.plan import Planned
from tests.chaos.run import Outcome, run
from tests.chaos.site import Servers
from tests.chaos.town import sabotage

SECONDS = 10.0  # of load without a fault
FAULT_SECONDS = 4.0  # more for each
PATIENCE_SECONDS = 25.0  # for what comes late; what is lost is waited for as long
NONE = "none"  # nothing is planted, and nothing may be told: else the others prove little


def catch_all(servers: Servers, seed: int, only: Sequence[str]) -> dict[str, bool]:
    """By name, whether it was caught; `none`, whether nothing was told where nothing was wrong."""
    names = [NONE, *sabotage.ALL] if not only or list(only) == ["all"] else list(only)
    return {name: told_of(servers, seed, name) for name in names}


def told_of(servers: Servers, seed: int, name: str) -> bool:
    """Whether a run with this mistake told of what it breaks."""
    kinds = _all_kinds() if name == NONE else list(sabotage.ALL[name].under)
    planned = [Planned(number, 2.0 + number * FAULT_SECONDS, kind, 0.0) for number, kind in enumerate(kinds)]
    planted = "" if name == NONE else name
    outcome = run(
        servers,
        planned,
        Outcome(seed, SECONDS + FAULT_SECONDS * len(planned), planted),
        patience=PATIENCE_SECONDS,
        keep="when violated" if name == NONE else "never",
    )
    broken = {promise: count for promise, count in outcome.by_promise().items() if count}
    right = not broken if name == NONE else sabotage.ALL[name].breaks in broken
    print(f"{'told' if right else 'NOT TOLD'}: {name}: {broken or f'{outcome.events} events, all well'}", flush=True)
    return right


def _all_kinds() -> list[str]:
    return sorted({kind for one in sabotage.ALL.values() for kind in one.under})
