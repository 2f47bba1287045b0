"""What is measured. A row that stands here and is not measured fails the run."""

from typing import NamedTuple

DATABASES = ("sqlite", "postgresql")
OVER_KAFKA = ("kafka",)  # and PostgreSQL
PLACES = (*DATABASES, *OVER_KAFKA)
NO_MATTER = ("sqlite",)  # what no database takes part in is measured once
KINDS = ("daphne", "uvicorn")
CROWDS = (100, 500, 1_000)  # sockets
SILENT = 100  # sockets beside a crowd that never read


class Plan(NamedTuple):
    name: str
    module: str  # in benchmarks/, with a function `measure(bench)` that gives all rows of its plans
    places: tuple[str, ...] = DATABASES


PLANS = (
    Plan("publish one", "benchmarks.publish"),
    Plan("publish 500 at once, with their rows", "benchmarks.publish"),
    Plan("publish 500 at once", "benchmarks.publish"),
    Plan("publish one, types checked", "benchmarks.type_check"),
    Plan("publish 500 at once, types checked", "benchmarks.type_check"),
    Plan("publish 500 stations at once, types checked", "benchmarks.type_check"),
    Plan("relay batches of 500", "benchmarks.relay"),
    Plan("relay, django-outbox-pattern", "benchmarks.relay"),
    Plan("relay, django-domain-events", "benchmarks.relay"),
    Plan("handle batches of 200", "benchmarks.handling"),
    Plan("publish one, traced", "benchmarks.watched"),
    Plan("publish 500 at once, traced", "benchmarks.watched"),
    *(
        Plan(f"{work}, {how}", "benchmarks.watched")
        for work in ("handle batches of 200", "a page")
        for how in ("counted", "traced")
    ),
    Plan("two groups that publish, 1500 events each", "benchmarks.two_groups", ("postgresql",)),
    Plan("commit to handled, median", "benchmarks.latency"),
    Plan("commit to handled, p99", "benchmarks.latency"),
    Plan("a request that writes while a backlog is drained", "benchmarks.backlog"),
    Plan("dispatcher killed under load", "benchmarks.handover"),
    Plan("an event in long tables", "benchmarks.growth"),
    Plan("poll, 2 % changed", "benchmarks.poll"),
    Plan("poll, 10 % changed", "benchmarks.poll"),
    Plan("a moment of a year, 2,500 stations", "benchmarks.history"),
    Plan("product list", "benchmarks.pages"),
    Plan("/health/ready, p99", "benchmarks.ready"),
    Plan("GBFS station_status at 50 a second, p99", "benchmarks.open_data"),
    Plan("REST, 100 stations at 50 a second, p99", "benchmarks.open_data"),
    Plan("desk, the slowest list", "benchmarks.desk"),
    Plan("overview in a million rows", "benchmarks.search"),
    Plan("search in a million rows, the slowest name's p95", "benchmarks.search"),
    Plan("journey in a million rows, the busiest station's", "benchmarks.search"),
    Plan("Kafka: relay batches of 500", "benchmarks.over_kafka", OVER_KAFKA),
    Plan("Kafka: relay batches of 500, the limit", "benchmarks.over_kafka", OVER_KAFKA),
    Plan("Kafka: handle batches of 200", "benchmarks.over_kafka", OVER_KAFKA),
    *(
        Plan(f"Kafka: commit to handled at {rate} a second, {figure}", "benchmarks.kafka_latency", OVER_KAFKA)
        for rate in ("10", "1,000")
        for figure in ("median", "p99")
    ),
    *(Plan(f"Kafka: {count} processes of handlers", "benchmarks.kafka_workers", OVER_KAFKA) for count in (1, 2, 4)),
    *(Plan(f"{count} sockets, {kind}", "benchmarks.sockets", NO_MATTER) for kind in KINDS for count in CROWDS),
    *(
        Plan(name, "benchmarks.frames", NO_MATTER)
        for name in (
            "a station's change on the socket",
            "a city's stations at first, compressed",
            "the world at first, compressed",
            "sums of 100000 stations in 1000 cities",
        )
    ),
    Plan(f"memory with {SILENT} who never read, uvicorn", "benchmarks.silent", NO_MATTER),
)


def names() -> list[str]:
    return [plan.name for plan in PLANS]


def modules(only: str, place: str) -> list[str]:
    """The modules that measure the wanted plans in a place, each once, in order."""
    return list(dict.fromkeys(plan.module for plan in PLANS if plan.name.startswith(only) and place in plan.places))


def database_of(place: str) -> str:
    """What a row of that place has for its database."""
    return "postgresql" if place in OVER_KAFKA else place


def wanted(only: str) -> set[tuple[str, str]]:
    """Each (name, database) that must come out."""
    return {(plan.name, database_of(place)) for plan in PLANS for place in plan.places if plan.name.startswith(only)}
