"""Detect another site that reads with this site's consumer groups: two sites with one prefix on the same brokers.

Brokers would divide a group's partitions among the workers of both sites. Each site would miss the records of the
other's partitions. So the client id of every reader identifies its database. A new reader of a group waits while the
group has readers of another database.
"""

import logging
import os
from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.db import DatabaseError, connection, transaction

from eventbus.backends.kafka.brokers.topics import LOOK_SECONDS
from eventbus.errors import LogUnavailable

logger = logging.getLogger(__name__)

PREFIX = "mcommerce-site-"
SAID = (
    "Workers of another database read as group {group} on these brokers: two sites with one KAFKA_PREFIX would take "
    "each other's events. Give each its own, or stop the other"
)
UNKNOWN = "unknown"
OFFSETS = "__consumer_offsets"  # the topic in which coordinators of groups keep their state
# If a request about groups times out before librdkafka 2.16 has found their coordinators, the process aborts
# (librdkafka's issue 4605). So the request gets a minute: even a broker that has just started finds them by then. No
# caller waits so long.
QUESTION_SECONDS = 60.0
DIGEST_BYTES = 6  # of the digest in a client id: enough, since few sites share brokers


class OtherSites:
    """The detector of one backend. `named` returns a group's name on the brokers."""

    def __init__(self, admin: Callable[[], AdminClient], named: Callable[[str], str]) -> None:
        self._admin, self._named = admin, named
        self._client_id = ""

    def client_id(self) -> str:
        """Return the client id of this database's readers.

        All databases that cannot be identified have the same one.
        """
        if not self._client_id:
            database = _database()
            mark = UNKNOWN if database is None else blake2b(database, digest_size=DIGEST_BYTES).hexdigest()
            self._client_id = PREFIX + mark
        return self._client_id

    def refuse_others(self, groups: Collection[str]) -> None:
        """Raise LogUnavailable if readers of another database are in one of these groups."""
        if others := self.others(groups):
            raise LogUnavailable("; ".join(others))

    def others(self, groups: Collection[str]) -> list[str]:
        """Return a sentence with the remedy for each of these groups that has readers of another database.

        Groups about which the brokers give no answer soon are left out.
        """
        ours = {self._named(group): group for group in groups}
        found = []
        for name, answer in self._asked(list(ours)).items():
            try:
                members = answer.result(LOOK_SECONDS).members
            except (KafkaException, TimeoutError) as error:  # the group may not exist yet
                logger.debug("Kafka does not say who is in %s: %s", name, error)
                continue
            if any(self._is_other(one.client_id) for one in members):
                found.append(ours[name])
        return [SAID.format(group=group) for group in sorted(found)]

    def _asked(self, names: list[str]) -> dict[str, Any]:
        """Return the pending answers, by the group's name on the brokers; none if no broker answers at all."""
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
    """Return an identity of this database that a copy of its rows does not have; None if it has no identity."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "postgresql":
        if not os.path.exists(name):
            return None  # in memory: no other process has it
        file = os.stat(name)
        return f"{file.st_dev} {file.st_ino}".encode()  # containers may have it under several names
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT system_identifier, current_database() FROM pg_control_system()")
            return repr(cursor.fetchone()).encode()
    except DatabaseError as error:
        logger.info("The database does not say which cluster it is of: %s", error)
        return None
