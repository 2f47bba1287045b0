"""Noticing that another site reads as our consumer groups: two sites with one prefix on the same brokers.

Brokers would share a group's partitions among the workers of both, and each site would miss what the other got. So
every reader says by its client's id which database it works for. One that comes to a group in which readers of
another database are waits until they have left.
"""

import logging
import os
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.db import DatabaseError, connection, transaction

from eventbus.backends.kafka.topics import LOOK_SECONDS
from eventbus.errors import LogUnavailable

logger = logging.getLogger(__name__)

PREFIX = "mcommerce-site-"
SAID = (
    "Workers of another database read as group {group} on these brokers: two sites with one KAFKA_PREFIX would take "
    "each other's events. Give each its own, or stop the other"
)
UNKNOWN = "unknown"
OFFSETS = "__consumer_offsets"  # where coordinators of groups keep what they know
# A question about groups that ends before librdkafka 2.16 has found their coordinators aborts the process (its issue
# 4605). So it gets a minute, in which a broker that has just begun finds them; nobody waits for it that long.
QUESTION_SECONDS = 60.0
DIGEST_BYTES = 6  # a handful of sites share brokers


class OtherSites:
    """Of one backend. `named` gives a group's name on the brokers."""

    def __init__(self, admin: Callable[[], AdminClient], named: Callable[[str], str]) -> None:
        self._admin, self._named = admin, named
        self._client_id = ""

    def client_id(self) -> str:
        """What readers of this database call themselves: those of one that does not say which it is, all the same."""
        if not self._client_id:
            database = _database()
            mark = UNKNOWN if database is None else blake2b(database, digest_size=DIGEST_BYTES).hexdigest()
            self._client_id = PREFIX + mark
        return self._client_id

    def refuse_others(self, groups: Collection[str]) -> None:
        """Raises LogUnavailable where readers of another database are in one of these groups."""
        if others := self.others(groups):
            raise LogUnavailable("; ".join(others))

    def others(self, groups: Collection[str]) -> list[str]:
        """A sentence with the remedy for each of these groups in which they are. Brokers are not waited for."""
        ours = {self._named(group): group for group in groups}
        found = []
        for name, answer in self._asked(list(ours)).items():
            try:
                members = answer.result(LOOK_SECONDS).members
            except (KafkaException, TimeoutError) as error:  # there may be none of that name yet
                logger.debug("Kafka does not say who is in %s: %s", name, error)
                continue
            if any(self._is_other(one.client_id) for one in members):
                found.append(ours[name])
        return [SAID.format(group=group) for group in sorted(found)]

    def _asked(self, names: list[str]) -> dict[str, Any]:
        """The answers that come, by the brokers' name of a group; none while no broker answers at all."""
        if not names:
            return {}
        admin = self._admin()
        try:
            admin.list_topics(OFFSETS, timeout=LOOK_SECONDS)
        except KafkaException as error:
            logger.debug("Kafka does not say who is in its groups: %s", error)
            return {}
        return dict(admin.describe_consumer_groups(names, request_timeout=QUESTION_SECONDS))

    def _is_other(self, client_id: str) -> bool:
        marks = {client_id, self.client_id()}
        return client_id.startswith(PREFIX) and len(marks) > 1 and PREFIX + UNKNOWN not in marks


def _database() -> bytes | None:
    """Which database this is, by what is not copied with its rows; None where it does not say."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "postgresql":
        if not os.path.exists(name):
            return None  # in memory: nobody else has it
        file = os.stat(name)
        return f"{file.st_dev} {file.st_ino}".encode()  # containers may have it under several names
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT system_identifier, current_database() FROM pg_control_system()")
            return repr(cursor.fetchone()).encode()
    except DatabaseError as error:
        logger.info("The database does not say which cluster it is of: %s", error)
        return None
