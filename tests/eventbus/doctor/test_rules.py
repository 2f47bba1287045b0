"""An operator has a wrong setting: the doctor names it, and nothing else."""

from datetime import timedelta

import msgspec
import pytest

from eventbus.doctor import broker_rules, client_rules, database_rules, site_rules, topic_rules
from eventbus.doctor.examination import examine
from eventbus.doctor.facts import Facts, Folder, Rule
from tests.eventbus.doctor.well import (
    TOPIC,
    clients,
    facts,
    log,
    postgresql,
    site,
    sqlite,
    with_topic,
)

DAY_MS = str(24 * 60 * 60 * 1_000)
WELL = log()
CLIENTS: dict[str, Facts] = {
    "producer.acks": facts(clients=clients(acks="1")),
    "producer.idempotence": facts(clients=clients(enable_idempotence="false")),
    "producer.in-flight": facts(clients=clients(max_in_flight_requests_per_connection="10")),
    "producer.gapless": facts(clients=clients(enable_gapless_guarantee="false")),
    "producer.timeout": facts(clients=clients(delivery_timeout_ms="120000")),
    "producer.partitioner": facts(clients=clients(partitioner="consistent_random")),
    "producer.message-bytes": facts(clients=clients(message_max_bytes="100000")),
    "client.auto-create": facts(
        clients=msgspec.structs.replace(clients(), consumer={"allow.auto.create.topics": True})
    ),
    "consumer.auto-commit": facts(clients=clients(enable_auto_commit="true")),
    "consumer.offset-reset": facts(clients=clients(auto_offset_reset="latest")),
    "consumer.isolation": facts(clients=clients(isolation_level="read_uncommitted")),
    "consumer.session": facts(clients=clients(heartbeat_interval_ms="5000")),
    "consumer.poll-interval": facts(clients=clients(max_poll_interval_ms="10000")),
    "consumer.assignment": facts(clients=clients(partition_assignment_strategy="range,roundrobin")),
    "client.open": facts(clients=msgspec.structs.replace(clients(), exposed="Kafka is spoken to without TLS or SASL")),
}
BROKERS: dict[str, Facts] = {
    "broker.auto-create": facts(log=log(broker={"auto.create.topics.enable": "true"})),
    "broker.unclean-election": facts(log=log(broker={"unclean.leader.election.enable": "true"})),
    "broker.group-state": facts(log=log(broker={"offsets.topic.replication.factor": "1"})),
    "broker.session-bounds": facts(log=log(broker={"group.min.session.timeout.ms": "10000"})),
    "broker.too-few": facts(log=log(brokers=2)),
    "broker.two-sites": facts(
        log=msgspec.structs.replace(WELL, others=("Workers of another database read as group mail.",))
    ),
    "clock.log": facts(log=msgspec.structs.replace(WELL, newest_ahead=timedelta(minutes=2))),
    "topic.missing": facts(
        log=msgspec.structs.replace(WELL, brokers=msgspec.structs.replace(WELL.brokers, topics={TOPIC: None}))
    ),
    "topic.partitions": facts(log=with_topic(WELL, partitions=6)),
    "topic.one-copy": facts(log=log(replication=1)),
    "topic.copies": facts(log=with_topic(log(min_insync_replicas="1"), replication=2)),
    "topic.in-sync-low": facts(log=log(min_insync_replicas="1")),
    "topic.in-sync-high": facts(log=log(min_insync_replicas="3")),
    "topic.compacted": facts(log=log(cleanup_policy="compact,delete")),
    "topic.message-bytes": facts(log=log(max_message_bytes="65536")),
    "topic.retention": facts(log=log(retention_ms=str(int(DAY_MS) // 2))),
    "topic.retention-lag": facts(log=msgspec.structs.replace(WELL, waits={TOPIC: timedelta(days=4)})),
    "topic.retention-bytes": facts(log=log(retention_bytes="1073741824")),
    "topic.unclean-election": facts(log=log(unclean_leader_election_enable="true")),
    "topic.timestamp-type": facts(log=log(message_timestamp_type="LogAppendTime")),
    "topic.timestamp-bounds": facts(log=log(message_timestamp_before_max_ms="60000")),
}
DATABASES: dict[str, Facts] = {
    "postgresql.version": facts(postgresql=postgresql(version=130_011)),
    "postgresql.fsync": facts(postgresql=postgresql(fsync="off")),
    "postgresql.full-page-writes": facts(postgresql=postgresql(full_page_writes="off")),
    "postgresql.synchronous-commit": facts(postgresql=postgresql(synchronous_commit="off")),
    "postgresql.isolation": facts(postgresql=postgresql(default_transaction_isolation="serializable")),
    "postgresql.read-only": facts(postgresql=postgresql(default_transaction_read_only="on")),
    "postgresql.statement-timeout": facts(postgresql=postgresql(statement_timeout="5000")),
    "postgresql.idle-in-transaction": facts(postgresql=postgresql(idle_in_transaction_session_timeout="500")),
    "postgresql.frozen-sessions": facts(postgresql=postgresql(idle_in_transaction_session_timeout="0")),
    "postgresql.lock-timeout": facts(postgresql=postgresql(lock_timeout="50")),
    "postgresql.transaction-pooling": facts(postgresql=postgresql(shared=True)),
    "postgresql.connections": facts(postgresql=postgresql(needed=98)),
    "postgresql.encoding": facts(postgresql=postgresql(server_encoding="LATIN1")),
    "postgresql.autovacuum": facts(postgresql=postgresql(autovacuum="off")),
    "clock.database": facts(postgresql=msgspec.structs.replace(postgresql(), ahead=timedelta(seconds=-30))),
    "sqlite.journal": facts(sqlite=sqlite(journal="delete")),
    "sqlite.synchronous": facts(sqlite=sqlite(synchronous=1)),
    "sqlite.foreign-keys": facts(sqlite=sqlite(foreign_keys=False)),
    "sqlite.network": facts(sqlite=sqlite(filesystem="nfs4")),
    "sqlite.busy-timeout": facts(sqlite=sqlite(busy_seconds=0.1)),
    "sqlite.transaction-mode": facts(sqlite=sqlite(transaction_mode="")),
    "sqlite.hosts": facts(sqlite=sqlite(hosts=2)),
    "sqlite.readable": facts(sqlite=sqlite(mode=0o644)),
}
SITES: dict[str, Facts] = {
    "site.debug": facts(site=site(debug=True)),
    "site.hosts": facts(site=site(hosts=("*",))),
    "site.secret-key": facts(site=site(secret_key="django-insecure-" + site().secret_key)),
    "site.secret-key-generated": facts(site=site(key_kept=True)),
    "proxy.header-without-proxy": facts(site=site(url="https://shop.example:8000")),
    "proxy.header-not-trusted": facts(site=site(proxy_header=False)),
    "site.cookies": facts(site=site(secure_cookies=False)),
    "site.mail": facts(site=site(mail="django.core.mail.backends.console.EmailBackend")),
    "site.time-zones": facts(site=site(time_zones=False)),
    "site.failpoints": facts(site=site(failpoints=("effect.answered=kill",))),
    "site.atomic-requests": facts(site=site(atomic_requests=True)),
    "site.connection-health": facts(site=site(health_checks=False)),
    "outbox.retention": facts(site=site(retention=timedelta(days=3_650)), log=None),
    "disk.full": facts(site=site(folders=(Folder(path="/var", free=0),))),
    "disk.refused": facts(site=site(folders=(Folder(path="/var", free=2**40, refused="read-only"),))),
    "clock.machines": facts(site=site(ahead={"other": timedelta(minutes=3)})),
}
PLANTED = CLIENTS | BROKERS | DATABASES | SITES
RULES = {
    one.id: one
    for module in (broker_rules, client_rules, database_rules, site_rules, topic_rules)
    for one in vars(module).values()
    if isinstance(one, Rule)
}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_setting_is_found_alone(rule: str) -> None:
    found = examine(PLANTED[rule])

    assert [one.id for one in found] == [rule]
    assert all(found[0].__struct_fields__) and found[0].part == rule.partition(".")[0]


def test_every_rule_is_planted_and_tells_why_the_remedy_and_a_source() -> None:
    assert set(PLANTED) == set(RULES)
    for rule in RULES.values():
        assert rule.why.endswith(".") and rule.remedy.endswith(".") and ", " in rule.source, rule.id


def test_a_site_that_endangers_nothing_has_no_findings() -> None:
    assert examine(facts()) == []
    assert examine(facts(postgresql=None, sqlite=sqlite(), clients=None, log=None)) == []
    assert examine(facts(log=log(brokers=1, replication=1))) == []


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        (facts(clients=clients(acks="0")), "producer.acks"),
        (facts(clients=clients(request_required_acks="1")), "producer.acks"),
        (facts(clients=clients(enable_auto_offset_store="true")), "consumer.auto-commit"),
        (facts(log=log(broker={"group.max.session.timeout.ms": "5000"})), "broker.session-bounds"),
        (facts(log=log(retention_ms=str(3 * int(DAY_MS)))), "topic.retention"),
        (facts(log=log(message_timestamp_after_max_ms="1000")), "topic.timestamp-bounds"),
        (facts(site=site(secret_key="a" * 60)), "site.secret-key"),
        (facts(site=site(secret_key="abcdefgh" * 8)), "site.secret-key"),
        (facts(site=site(secret_key="please-change-this-key" + site().secret_key)), "site.secret-key"),
        (facts(site=site(url="http://127.0.0.1", hosts=("localhost",))), "proxy.header-without-proxy"),
    ],
)
def test_another_way_to_the_same_fault_is_found(planted: Facts, rule: str) -> None:
    assert [one.id for one in examine(planted)] == [rule]
