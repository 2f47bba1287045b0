"""A mistake: while it is made, one function of the product does something else, whoever calls it."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from types import ModuleType
from typing import Any

import pytest

OURS = {"eventbus", "mcommerce", "stations", "outside", "tests"}  # packages whose modules may have imported a function
CONTRACT = "tests/eventbus/test_memory_backend.py"

Right = Callable[..., Any]  # the product's own function


class Promise(StrEnum):
    """What the bus promises its users."""

    NOTHING_LOST = "nothing is lost, and nothing is invented"
    HANDLED_ONCE = "each event is handled once"
    ORDER = "a key's order is its commits' order"
    PARK_THE_KEY = "a failure parks its key and no other"
    BREAKER = "a group that fails most events stops until a probe succeeds"
    OUTAGE = "an outage is no event's failure"
    DEPLOYS = "a worker that leaves finishes its work in hand"
    VISIBLE = "everything is visible, and the delivery audit balances"
    EFFECTS = "an effect happens once, or an operator hears of the doubt"
    REPLAY = "a replay changes nothing but projections"
    WATCHES = "a watch misses nothing from its beginning on"
    RETENTION = "nothing is pruned that somebody needs"
    TRUST = "no stranger publishes in the site's name"


@dataclass(frozen=True)
class Mistake:
    """`make` is called with the right function and its arguments, in place of each of `functions`.

    `noticed_by`: the cases of the backend contract that must fail, without their "test_"; or tests of the file `where`.
    `breaks`: the promise of the bus, or None for a mistake in the shop. `only`: the database or the backend on which it
    can be made, if that is not each.
    """

    make: Callable[..., Any]
    functions: tuple[Any, ...]
    breaks: Promise | None
    noticed_by: Sequence[str]
    only: str
    where: str

    @property
    def name(self) -> str:
        """Its name in words."""
        return self.make.__name__.replace("_", " ")

    def plant(self, replace: Callable[[object, str, object], None] = setattr) -> None:
        """Make it from now on, in this whole process."""
        for function in self.functions:
            found = list(_names(function))
            assert found, f"{function} has no name in the product any more"
            for owner, name in found:
                replace(owner, name, self._instead_of(function))

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make it while the context is open."""
        with pytest.MonkeyPatch.context() as patch:
            self.plant(patch.setattr)
            yield

    def _instead_of(self, function: Any) -> Any:
        if isinstance(function, property):
            return property(self._instead_of(function.fget))

        @wraps(function)
        def mistaken(*arguments: Any, **named: Any) -> Any:
            return self.make(function, *arguments, **named)

        return mistaken


def mistake(
    *functions: Any, breaks: Promise | None, noticed_by: Sequence[str], only: str = "", where: str = CONTRACT
) -> Callable[[Callable[..., Any]], Mistake]:
    """Declare a mistake: `make(right, *arguments, **named)` in place of each of these functions of the product."""
    return lambda make: Mistake(make, functions, breaks, noticed_by, only, where)


def by_name(names: Mapping[str, object]) -> dict[str, Mistake]:
    """Return the mistakes among a module's names."""
    return {one.name: one for one in names.values() if isinstance(one, Mistake)}


def _names(function: Any) -> Iterator[tuple[object, str]]:
    """Yield each class or module that has the function, with its name there."""
    bare = function.fget if isinstance(function, property) else function
    qualifier = bare.__qualname__.rpartition(".")[0]
    home = sys.modules[bare.__module__]
    owners: list[type | ModuleType] = [getattr(home, qualifier)] if qualifier else _modules()
    for owner in owners:
        for name, value in list(vars(owner).items()):
            if value is function:
                yield owner, name


def _modules() -> list[Any]:
    return [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in OURS]
