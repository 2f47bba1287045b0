"""The town and the shop with their PostgreSQL and their Kafka, and questions to their tables."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests import kafka, outbox_check, postgres
from tests.chaos.client_records import read_told
from tests.chaos.processes import Crew
from tests.chaos.shop import roles
from tests.live_site import ROOT, LiveSite

PARTITIONS = 4
ASK_SECONDS = 5  # for a connection
ANSWER_SECONDS = 30.0  # for Kafka's answers, after it was started
# What `status` says of copies that were sent twice: once Kafka has let go of them, nobody knows what they were.
EXPECTED = "and the outbox does not have them"
# The relay loses its database once between Kafka's acknowledgement and noting it, so that the log surely holds repeats.
REPEAT = "append.acknowledged=break@10"


Servers = tuple[postgres.Cluster, kafka.Cluster]  # a PostgreSQL that keeps what it says it keeps, and a Kafka


class Site:
    """One run's database, topics, folder and processes. `shop`: beside the town there is the whole shop.

    `pause_seconds` lie between two of a publisher's transactions, at most.
    """

    def __init__(
        self, folder: Path, servers: Servers, seed: int, *, mistake: str, shop: bool, pause_seconds: float
    ) -> None:
        self.folder, self.shop = folder, shop
        self.database, self.broker = servers
        self.name = f"chaos_{uuid4().hex[:8]}"
        self.url = f"{self.database.url.rpartition('/')[0]}/{self.name}"
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.name}")
        self.prefix = f"{self.name}-"
        self.before_loss = 0  # records of a Kafka that lost them
        paused = {"CHAOS_PAUSE_SECONDS": str(pause_seconds)}
        self._live = LiveSite(folder, self._environment(mistake) | paused | (roles.environment() if shop else {}))
        self._set_up("shop" if shop else "town")
        others = roles.roles(folder, seed, self._live.environment) if shop else {}
        self.crew = Crew(folder, self._live.environment, seed, others)

    def _environment(self, mistake: str) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.load_app.settings",
            "DATABASE_URL": self.url,
            "EVENTBUS_BACKEND": "kafka",
            "EVENTBUS_PARTITIONS": str(PARTITIONS),
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "KAFKA_PREFIX": self.prefix,
            "CHAOS_FOLDER": str(self.folder),
            "CHAOS_MISTAKE": mistake,
            "EVENTBUS_FAILPOINTS": REPEAT,
        }

    def misfits(self) -> list[str]:
        """What does not fit its event's JSON Schema in the outbox, each in a sentence."""
        return outbox_check.misfits_of(self._live.environment | {"CHAOS_MISTAKE": ""})

    def _set_up(self, what: str) -> None:
        environment = self._live.environment | {"CHAOS_MISTAKE": ""}
        subprocess.run(
            [sys.executable, "-m", "tests.chaos.shop.setup", what],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, connect_timeout=ASK_SECONDS) as connection:
            return connection.execute(question, values).fetchall()

    def number(self, question: str, *values: Any) -> int:
        return int(self.rows(question, *values)[0][0] or 0)

    def ordered(self) -> int:
        """How many orders were acknowledged."""
        return len(read_told([self.folder / roles.SHOPPERS], "ordered"))

    def status(self) -> str:
        """What `manage.py eventbus status` has to complain of, but for what is EXPECTED; empty when all is well."""
        try:
            self.manage("eventbus", "status", "--json")
        except RuntimeError as error:
            told = str(error)
            found = json.JSONDecoder().raw_decode(told[told.index("{") :])[0]
            problems = [one for one in found["problems"] if EXPECTED not in one]
            return "" if found["problems"] and not problems else told
        return ""

    def manage(self, *arguments: str) -> str:
        """What an operator does, and what it printed. Raises RuntimeError."""
        return self._live.manage(*arguments)

    def appended(self) -> int:
        """How many records lie in Kafka, which may have been started just now. Raises KafkaException."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self._appended()
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)  # between two tries of a loop that has a deadline

    def _appended(self) -> int:
        client = Consumer({"bootstrap.servers": self.broker.bootstrap_servers, "group.id": f"{self.prefix}oracle"})
        try:
            topics = [name for name in client.list_topics(timeout=10).topics if name.startswith(self.prefix)]
            places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
            return sum(high - low for low, high in (client.get_watermark_offsets(place, 10) for place in places))
        finally:
            client.close()
