"""What is left of a run that has violated a promise, so that its cause can be looked for when all servers are gone."""

import csv
from pathlib import Path

import psycopg
from confluent_kafka import Consumer, KafkaError, TopicPartition

from tests.chaos.servers import PARTITIONS, Site

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '^(eventbus|town)_' ORDER BY 1"
RECORDS_AT_ONCE = 10_000
SILENCE_SECONDS = 10.0  # after which a log has no more to show


def keep(site: Site) -> None:
    """In the site's folder: each table of bus and town as `TABLE.csv`, and what lies in Kafka as `records.csv`."""
    with psycopg.connect(site.url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")  # all at one moment
        for (table,) in connection.execute(TABLES).fetchall():
            with (
                (site.folder / f"{table}.csv").open("wb") as file,
                connection.cursor().copy(f"COPY {table} TO STDOUT WITH (FORMAT csv, HEADER)") as copy,
            ):
                file.writelines(copy)
    _keep_records(site, site.folder / "records.csv")


def _keep_records(site: Site, file: Path) -> None:
    settings = {"bootstrap.servers": site.broker.bootstrap_servers, "group.id": f"{site.prefix}evidence"}
    client = Consumer(settings | {"auto.offset.reset": "earliest", "enable.partition.eof": True})
    try:
        topics = [name for name in client.list_topics(timeout=SILENCE_SECONDS).topics if name.startswith(site.prefix)]
        left = {(topic, number) for topic in topics for number in range(PARTITIONS)}
        client.assign([TopicPartition(*place, 0) for place in left])
        with file.open("w", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(["topic", "partition", "offset", "appended_ms", "key", "event_id", "type"])
            while left and (messages := client.consume(RECORDS_AT_ONCE, SILENCE_SECONDS)):
                for message in messages:
                    place = message.topic(), message.partition()
                    if message.error() is None:
                        headers = dict(message.headers() or [])
                        told = [(headers.get(f"ce_{name}") or b"").decode() for name in ("id", "type")]
                        key = (message.key() or b"").decode("utf-8", "backslashreplace")
                        rows.writerow([*place, message.offset(), message.timestamp()[1], key, *told])
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        left.discard(place)
    finally:
        client.close()
