"""What is measured. A row that stands here and is not measured fails the run."""

from typing import NamedTuple

DATABASES = ("sqlite", "postgresql")


class Plan(NamedTuple):
    name: str
    module: str  # in benchmarks/, with a function `measure(bench)` that gives all rows of its plans


PLANS = (
    Plan("publish one", "benchmarks.publish"),
    Plan("publish 500 at once", "benchmarks.publish"),
    Plan("relay batches of 500", "benchmarks.relay"),
    Plan("handle batches of 200", "benchmarks.handling"),
    Plan("published to handled", "benchmarks.latency"),
    Plan("poll, 2 % changed", "benchmarks.poll"),
    Plan("poll, 10 % changed", "benchmarks.poll"),
    Plan("product list", "benchmarks.pages"),
)


def names() -> list[str]:
    return [plan.name for plan in PLANS]


def modules(only: str) -> list[str]:
    """The modules that measure the wanted plans, each once, in order."""
    return list(dict.fromkeys(plan.module for plan in PLANS if plan.name.startswith(only)))


def wanted(only: str) -> set[tuple[str, str]]:
    """Each (name, database) that must come out."""
    return {(plan.name, database) for plan in PLANS for database in DATABASES if plan.name.startswith(only)}
