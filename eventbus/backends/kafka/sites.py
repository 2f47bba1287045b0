"""Noticing that another site reads as our consumer groups: two sites with one prefix on the same brokers.

Brokers would share a group's partitions among the workers of both, and each site would miss what the other got. So
every reader says by its client's id which database it works for. One that comes to a group in which readers of
another database are waits until they have left.
"""

import logging
import os
from collections.abc import Callable, Collection
from hashlib import blake2b

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.db import DatabaseError, connection, transaction

from eventbus.backends.kafka.topics import LOOK_SECONDS
from eventbus.errors import LogAway

logger = logging.getLogger(__name__)

PREFIX = "mcommerce-site-"
SAID = (
    "Workers of another database read as group {group} on these brokers: two sites with one KAFKA_PREFIX would take "
    "each other's events. Give each its own, or stop the other"
)
DIGEST_BYTES = 6  # a handful of sites share brokers


class Sites:
    """Of one backend. `named` gives a group's name on the brokers."""

    def __init__(self, admin: Callable[[], AdminClient], named: Callable[[str], str]) -> None:
        self._admin, self._named = admin, named
        self._client_id = ""

    def client_id(self) -> str:
        """What readers of this database call themselves."""
        self._client_id = self._client_id or PREFIX + blake2b(_database(), digest_size=DIGEST_BYTES).hexdigest()
        return self._client_id

    def refuse_others(self, groups: Collection[str]) -> None:
        """Raises LogAway where readers of another database are in one of these groups."""
        if others := self.others(groups):
            raise LogAway("; ".join(others))

    def others(self, groups: Collection[str]) -> list[str]:
        """A sentence with the remedy for each of these groups in which they are. Brokers are not waited for."""
        ours = {self._named(group): group for group in groups}
        found = []
        answers = self._admin().describe_consumer_groups(list(ours), request_timeout=LOOK_SECONDS) if ours else {}
        for name, answer in answers.items():
            try:
                members = answer.result(LOOK_SECONDS).members
            except (KafkaException, TimeoutError) as error:  # there may be none of that name yet
                logger.debug("Kafka does not say who is in %s: %s", name, error)
                continue
            if any(one.client_id.startswith(PREFIX) and one.client_id != self.client_id() for one in members):
                found.append(ours[name])
        return [SAID.format(group=group) for group in sorted(found)]


def _database() -> bytes:
    """Which database this is, as nothing says that is copied with its rows."""
    if connection.vendor == "postgresql":
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT system_identifier, current_database() FROM pg_control_system()")
                return repr(cursor.fetchone()).encode()
        except DatabaseError as error:
            logger.info("The database does not say which cluster it is of: %s", error)
    name = str(connection.settings_dict["NAME"])
    place = str(connection.settings_dict.get("HOST", ""))
    if connection.vendor == "sqlite" and os.path.exists(name):
        file = os.stat(name)
        place, name = str(file.st_dev), str(file.st_ino)  # containers may have it under several names
    return f"{place} {name}".encode()
