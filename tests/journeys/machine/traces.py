"""Traces: what happens in the shop, drawn once and written down, so that it can be played on one bus and on another.

What a step does is a rule of the machine, and what is drawn for it comes from that rule. An order or a page that a
step names is the one that lies so far back; where there is none yet, nothing happens.
"""

import random
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, Rule

from eventbus.testing import settle
from tests.journeys.machine.environment import Floor
from tests.journeys.machine.restore_rules import RestoredMachine
from tests.journeys.machine.shopper_rules import TROUBLES

STEPS = 6  # of a day after its first order: enough for the whole story of that one
BACK_MAX = 3  # so many orders or pages before the last one are still thought of
RULES: dict[str, Rule] = {rule.function.__name__: rule for rule in RestoredMachine.setup_state().rules}
# What operators meet and do on top of that, one of these on every third day.
OPERATED_EVERY = 3
OPERATED = (("go_wrong", "operate"), ("keep",))
# The bus's own troubles are met where a backend happens to be: they would be another trace on each.
INSTEAD = {"trouble": st.sampled_from([trouble for trouble in TROUBLES if trouble[0] == "company"])}
# Else on half of the days nobody pays, and each reader finds but one record at a time.
OFTEN = {"order": 2, "go_and_pay": 5, "see_to": 2, "stand_still": 4}
DRAWN_MAX = 100  # for a rule that could be given ever more


class Step(NamedTuple):
    """Something that happens: which rule, and what was drawn for it."""

    rule: str
    drawn: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.rule}({', '.join(f'{name}={value!r}' for name, value in self.drawn.items())})"


Trace = list[Step]


def draw(count: int, *, seed: int) -> list[Trace]:
    """So many, the same ones for the same seed. Each begins with an order for the first product."""
    chance = random.Random(seed)
    names = [name for name in RULES if not any(name in some for some in OPERATED)]
    weights = [OFTEN.get(name, 1) for name in names]
    drawn = {name: _drawn(rule, seed) for name, rule in RULES.items()}
    first = Step("order", {"wanted": [(0, 1)], "clicks": 1})
    traces = [
        [first, *(Step(name, chance.choice(drawn[name])) for name in chance.choices(names, weights, k=STEPS))]
        for _ in range(count)
    ]
    drawn["keep"] = [{"back": True}]
    for trace in traces[::OPERATED_EVERY]:
        doing = chance.choice(OPERATED)
        places = sorted(chance.choices(range(1, len(trace) + 1), k=len(doing)))
        for more, (place, name) in enumerate(zip(places, doing, strict=True)):
            trace.insert(place + more, Step(name, chance.choice(drawn[name])))
    return traces


def _drawn(rule: Rule, seed: int) -> list[dict[str, Any]]:
    """What may be drawn for it: all of it where that is little."""
    found: list[dict[str, Any]] = []
    chosen = hypothesis.settings(
        max_examples=DRAWN_MAX,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    back = st.integers(0, BACK_MAX)
    strategies = {
        argument: back if isinstance(strategy, Bundle) else INSTEAD.get(argument, strategy)
        for argument, strategy in rule.arguments.items()
    }
    keep = hypothesis.given(st.fixed_dictionaries(strategies))(lambda given: found.append(given))
    hypothesis.seed(seed)(chosen(keep))()
    return found


class Player(RestoredMachine):
    """Does what a trace says and asks no questions: what counts is how it ends."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor)
        self._there: defaultdict[str, list[Any]] = defaultdict(list)  # orders and pages, by their bundle's name
        self._all_heard = True

    def play(self, trace: Trace) -> None:
        """All of it, and then until nothing is to come."""
        for step in trace:
            self._take(step)
        self.unheard = 0
        self.wait_for_the_end()

    def _take(self, step: Step) -> None:
        rule = RULES[step.rule]
        given = dict(step.drawn)
        for argument, strategy in rule.arguments.items():
            if isinstance(strategy, Bundle):
                there = self._there[strategy.name]
                if not there:
                    return
                given[argument] = there[-1 - given[argument] % len(there)]
        result = rule.function(self, **given)
        for name in rule.targets:
            self._there[name] += result.values if isinstance(result, MultipleResults) else [result]

    def let_time_pass(self, minutes: int) -> None:
        """Only once all has been heard: whether a payment comes before its deadline is no race then."""
        if not self._all_heard:
            settle(raise_errors=False)
        super().let_time_pass(minutes)

    def happened(self) -> None:
        self._all_heard = not self.unheard
        super().happened()

    def look(self, *, at_rest: bool = False) -> None:
        """Not now."""
