"""Who is in a consumer group, as its broker says: for tests that must not believe the consumers themselves."""

from functools import cache
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

ASK_SECONDS = 10  # for an answer of a busy broker


class Member(NamedTuple):
    """`name` is its group.instance.id, empty where it has none; `partitions` are topic and number."""

    id: str
    name: str
    partitions: frozenset[tuple[str, int]]


def members(servers: str, group: str) -> list[Member]:
    """In order of their ids; none when there is no such group."""
    try:
        found = _admin(servers).describe_consumer_groups([group], request_timeout=ASK_SECONDS)[group].result()
    except KafkaException:
        return []
    return sorted(
        Member(
            member.member_id,
            member.group_instance_id or "",
            frozenset((one.topic, one.partition) for one in member.assignment.topic_partitions or []),
        )
        for member in found.members
    )


@cache
def _admin(servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": servers})


def share(servers: str, group: str, count: int, partitions: int) -> bool:
    """Whether so many members have so many partitions between them, and each has some."""
    held = [len(member.partitions) for member in members(servers, group)]
    return len(held) == count and all(held) and sum(held) == partitions
