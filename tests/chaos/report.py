"""A run's outcome as one table."""

from collections.abc import Iterator

from tests.chaos.run import Outcome, spread

EXAMPLES_MAX = 5  # violations told in full, of each promise


def table(outcome: Outcome) -> str:
    return "\n".join(_lines(outcome))


def _lines(outcome: Outcome) -> Iterator[str]:
    yield f"seed {outcome.seed}, {outcome.seconds:g} s, {outcome.events} events"
    yield f"{'fault':24}{'injected':>10}{'effective':>11}{'p50 s':>8}{'p95 s':>8}{'max s':>8}"
    for kind in sorted(outcome.injected):
        yield _line(kind, outcome.injected[kind], outcome.effective[kind], spread(outcome.recoveries[kind]))
    for kind, why in outcome.left_out.items():
        yield f"{kind:24}  left out: {why}"
    yield _line("all", outcome.injected.total(), outcome.effective.total(), outcome.recovery())
    yield _line("by the clock on the wall", "", "", spread(outcome.by_the_wall))
    yield f"{'duplicates absorbed':34}{outcome.duplicates_absorbed:>11}"
    for promise, count in outcome.by_promise().items():
        yield f"{promise:48}{count:>5} violations"
        examples = [one.what for one in outcome.violations if one.promise == promise]
        yield from (f"    {what}" for what in examples[:EXAMPLES_MAX])


def _line(what: str, injected: int | str, effective: int | str, times: dict[str, float]) -> str:
    seconds = "".join(f"{times[name]:8.1f}" for name in ("p50", "p95", "max"))
    return f"{what:24}{injected:>10}{effective:>11}{seconds}"
