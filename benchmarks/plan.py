"""What is measured. A row that stands here and is not measured fails the run."""

from typing import NamedTuple

DATABASES = ("sqlite", "postgresql")
NO_MATTER = ("sqlite",)  # what no database takes part in is measured once
KINDS = ("daphne", "uvicorn")
CROWDS = (100, 500, 1_000)  # sockets
SILENT = 100  # sockets beside a crowd that never read


class Plan(NamedTuple):
    name: str
    module: str  # in benchmarks/, with a function `measure(bench)` that gives all rows of its plans
    databases: tuple[str, ...] = DATABASES


PLANS = (
    Plan("publish one", "benchmarks.publish"),
    Plan("publish 500 at once, with their rows", "benchmarks.publish"),
    Plan("publish 500 at once", "benchmarks.publish"),
    Plan("relay batches of 500", "benchmarks.relay"),
    Plan("relay, django-outbox-pattern", "benchmarks.relay"),
    Plan("relay, django-domain-events", "benchmarks.relay"),
    Plan("handle batches of 200", "benchmarks.handling"),
    Plan("commit to handled, median", "benchmarks.latency"),
    Plan("commit to handled, p99", "benchmarks.latency"),
    Plan("a write while 50,000 events are drained", "benchmarks.backlog"),
    Plan("dispatcher killed under load", "benchmarks.handover"),
    Plan("an event in long tables", "benchmarks.growth"),
    Plan("poll, 2 % changed", "benchmarks.poll"),
    Plan("poll, 10 % changed", "benchmarks.poll"),
    Plan("product list", "benchmarks.pages"),
    *(Plan(f"{count} sockets, {kind}", "benchmarks.sockets", NO_MATTER) for kind in KINDS for count in CROWDS),
    *(Plan(f"memory with {SILENT} who never read, {kind}", "benchmarks.sockets", NO_MATTER) for kind in KINDS),
)


def names() -> list[str]:
    return [plan.name for plan in PLANS]


def modules(only: str, database: str) -> list[str]:
    """The modules that measure the wanted plans on a database, each once, in order."""
    return list(
        dict.fromkeys(plan.module for plan in PLANS if plan.name.startswith(only) and database in plan.databases)
    )


def wanted(only: str) -> set[tuple[str, str]]:
    """Each (name, database) that must come out."""
    return {(plan.name, database) for plan in PLANS for database in plan.databases if plan.name.startswith(only)}
