"""From a run that fails to one with fewer faults that fails as well."""

from collections.abc import Sequence

from tests.chaos.run import Outcome, run
from tests.chaos.schedule import Planned
from tests.chaos.servers import Servers

CALM_SECONDS = 8.0  # after the last fault that is left


def shrink(servers: Servers, failed: Outcome, planned: Sequence[Planned], *, shop: bool) -> str:
    """Halves are tried, then smaller parts, each left out while the rest still fails. Takes as long as it takes."""
    kept, parts = list(planned), 2
    while len(kept) > 1 and parts <= len(kept):
        size = -(-len(kept) // parts)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            if rest and _fails(servers, failed.seed, rest, shop=shop):
                kept, parts = rest, max(2, parts - 1)
                break
        else:
            if parts == len(kept):
                break
            parts = min(len(kept), parts * 2)
    numbers = ",".join(str(one.number) for one in kept)
    kinds = ", ".join(one.kind for one in kept)
    again = f"--seed {failed.seed} --seconds {failed.seconds:g} --only {numbers}{'' if shop else ' --town'}"
    return f"Of {len(planned)} faults {len(kept)} suffice ({kinds}): {again}"


def _fails(servers: Servers, seed: int, planned: Sequence[Planned], *, shop: bool) -> bool:
    return bool(run(servers, planned, Outcome(seed, planned[-1].at + CALM_SECONDS), shop=shop).violations)
