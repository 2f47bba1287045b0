"""Facts of a site that endangers nothing. A test plants one wrong setting in them."""

from datetime import timedelta
from typing import Any

import msgspec

from eventbus.backends.broker_settings import BrokerSettings, TopicSettings
from eventbus.backends.kafka.configuration import as_chosen
from eventbus.backends.topics import wanted
from eventbus.doctor.facts import Clients, Facts, Folder, Log, PostgreSQL, Site, SQLite

TOPIC = "orders"
SECRET = "".join(chr(33 + number) for number in range(60))

SITE = Site(
    hosts=("shop.example",),
    url="https://shop.example",
    secret_key=SECRET,
    proxy_header=True,
    redirects=True,
    secure_cookies=True,
    mail="outside.mail.EmailBackend",
    folders=(Folder(path="/var/lib/shop", free=2**40),),
    ahead={"other": timedelta(seconds=-4)},
)
DEFAULTS: dict[str, str] = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": "9223372036854775807",
    "message.timestamp.after.max.ms": "3600000",
}


def clients(**chosen: Any) -> Clients:
    """The clients with these settings of the site. Underscores stand for dots."""
    told = as_chosen({name.replace("_", "."): value for name, value in chosen.items()})
    return Clients(servers=("kafka-1.shop.example:9092",), producer=told["producer"], consumer=told["consumer"])


def log(*, brokers: int = 3, replication: int = 3, broker: dict[str, str] | None = None, **configs: str) -> Log:
    """A log of one topic. `broker`: settings of the brokers; `configs`: of the topic, with underscores for dots."""
    declared = wanted(TOPIC, partitions=4, replication=replication)
    own = {name.replace("_", "."): value for name, value in configs.items()}
    topic = TopicSettings(
        partitions=declared.partitions, replication=replication, configs=DEFAULTS | declared.configs | own
    )
    kept = {
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "offsets.topic.replication.factor": str(min(3, brokers)),
        "group.min.session.timeout.ms": "6000",
        "group.max.session.timeout.ms": "1800000",
    }
    found = BrokerSettings(brokers=brokers, configs=kept | (broker or {}), topics={TOPIC: topic})
    return Log(brokers=found, declared={TOPIC: declared}, newest_ahead=timedelta(seconds=-3))


def with_topic(found: Log, **changed: Any) -> Log:
    """The same log, whose topic differs in these."""
    topics = {name: msgspec.structs.replace(one, **changed) for name, one in found.brokers.topics.items() if one}
    return msgspec.structs.replace(found, brokers=msgspec.structs.replace(found.brokers, topics=topics))


def postgresql(*, version: int = 170_002, shared: bool = False, needed: int = 60, **settings: str) -> PostgreSQL:
    """The server of compose.yaml, with these settings."""
    usual = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "autovacuum": "on",
        "server_encoding": "UTF8",
        "default_transaction_isolation": "read committed",
        "default_transaction_read_only": "off",
        "statement_timeout": "0",
        "lock_timeout": "8000",
        "idle_in_transaction_session_timeout": "10000",
        "max_connections": "100",
        "superuser_reserved_connections": "3",
    }
    return PostgreSQL(
        version=version, settings=usual | settings, shared=shared, needed=needed, ahead=timedelta(milliseconds=20)
    )


def sqlite(**changed: Any) -> SQLite:
    """The file of a home site, which differs in these."""
    usual = SQLite(
        journal="wal",
        synchronous=2,
        foreign_keys=True,
        transaction_mode="IMMEDIATE",
        busy_seconds=20,
        filesystem="ext4",
    )
    return msgspec.structs.replace(usual, **changed)


def site(**changed: Any) -> Site:
    """A public site, which differs in these."""
    return msgspec.structs.replace(SITE, **changed)


def facts(**changed: Any) -> Facts:
    """Facts of a public site over Kafka and PostgreSQL, which differ in these."""
    return msgspec.structs.replace(Facts(site=SITE, clients=clients(), log=log(), postgresql=postgresql()), **changed)
