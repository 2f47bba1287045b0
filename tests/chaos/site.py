"""The town with its PostgreSQL and its Kafka, and questions to its tables."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from tests import kafka, postgres
from tests.chaos.processes import Crew
from tests.live_site import ROOT, LiveSite

PARTITIONS = 4
ASK_SECONDS = 5  # for a connection
# The relay loses its database once between Kafka's acknowledgement and noting it, so that the log surely holds repeats.
REPEAT = "append.acknowledged=break@10"

Servers = tuple[postgres.Cluster, kafka.Cluster]


class Site:
    """One run's database, topics, folder and processes."""

    def __init__(
        self, folder: Path, database: postgres.Cluster, broker: kafka.Cluster, seed: int, sabotage: str
    ) -> None:
        self.folder, self.database, self.broker = folder, database, broker
        self.name = f"chaos_{uuid4().hex[:8]}"
        self.url = f"{database.url.rpartition('/')[0]}/{self.name}"
        self.rows("SELECT 1", url=database.url)
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.name}")
        self.prefix = f"{self.name}-"
        self.before_loss = 0  # records of a Kafka that lost them
        self._live = LiveSite(folder, self._environment(sabotage))
        self._run("tests.chaos.town.preparing")
        self.crew = Crew(folder, self._live.environment, seed)

    def _environment(self, sabotage: str) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.town.settings",
            "DATABASE_URL": self.url,
            "EVENTBUS_BACKEND": "kafka",
            "EVENTBUS_PARTITIONS": str(PARTITIONS),
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "KAFKA_PREFIX": self.prefix,
            "CHAOS_FOLDER": str(self.folder),
            "CHAOS_CLOCK": str(self.folder / "clock"),
            "CHAOS_SABOTAGE": sabotage,
            "EVENTBUS_FAILPOINTS": REPEAT,
        }

    def _run(self, module: str) -> None:
        environment = self._live.environment | {"CHAOS_SABOTAGE": ""}
        done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{module} failed: {done.stdout}{done.stderr}")

    def rows(self, question: str, *values: Any, url: str = "") -> list[tuple[Any, ...]]:
        with psycopg.connect(url or self.url, connect_timeout=ASK_SECONDS) as connection:
            return connection.execute(question, values).fetchall()

    def number(self, question: str, *values: Any) -> int:
        return int(self.rows(question, *values)[0][0] or 0)

    def status(self) -> str:
        """What `manage.py eventbus status` has to complain of; empty when all is well."""
        try:
            self._live.manage("eventbus", "status")
        except RuntimeError as error:
            return str(error)
        return ""

    def make_topics(self) -> None:
        """As whoever looks after Kafka does. Raises RuntimeError."""
        self._live.manage("eventbus", "topics", "--apply")

    def appended(self) -> int:
        """How many records lie in Kafka."""
        from confluent_kafka import Consumer, TopicPartition

        client = Consumer({"bootstrap.servers": self.broker.bootstrap_servers, "group.id": f"{self.prefix}oracle"})
        try:
            places = [
                TopicPartition(f"{self.prefix}{topic}", number)
                for topic in ("calls", "answers")
                for number in range(PARTITIONS)
            ]
            return sum(high - low for low, high in (client.get_watermark_offsets(place, 10) for place in places))
        finally:
            client.close()

    def close(self) -> None:
        self.crew.close()


@contextmanager
def world() -> Iterator[Servers]:
    """A PostgreSQL that keeps what it says it keeps, and a Kafka. Raises PostgresMissing, KafkaMissing."""
    with postgres.stoppable_cluster(durable=True) as database, kafka.stoppable_brokers() as broker:
        yield database, broker
