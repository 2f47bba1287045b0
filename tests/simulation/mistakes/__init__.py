"""Mistakes that people make in the bus and in the shop, each made at run time: the tests of its promise must notice it.

One module for each theme. A mistake is a function that stands in for one of the product's, whose result it may use.
Processes of chaos and of the sweep make the same mistakes by name.
"""

from tests.simulation.mistakes import delivery, effects, failures, kafka, operators, order, reports, skips, stops
from tests.simulation.mistakes.mistake import Mistake, by_name

THEMES = (delivery, order, effects, failures, stops, operators, skips, reports, kafka)
MISTAKES = {name: one for theme in THEMES for name, one in by_name(vars(theme)).items()}


def named(name: str) -> Mistake:
    """Return a mistake in the bus or in a whole site. Raises KeyError."""
    if name in MISTAKES:
        return MISTAKES[name]
    from tests.simulation.mistakes import whole_sites  # only now: a site of the bus alone has no tables of a shop

    return whole_sites.MISTAKES[name]
