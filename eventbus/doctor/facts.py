"""The facts that the rules judge. Tests plant them; `gathering` collects those of the running site."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from eventbus.backends.broker_settings import BrokerSettings
from eventbus.backends.topics import TopicSpec

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of Kafka's clients by librdkafka's names, as the site chose them. `servers`: host:port of brokers.

    `exposed`: the reason why anybody who reaches the brokers can write, "" if they authenticate their clients.
    """

    servers: tuple[str, ...]
    producer: dict[str, Any]
    consumer: dict[str, Any]
    exposed: str = ""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The brokers, and the declared shape of each topic. `waits`: how long the oldest event of a topic waits.

    `others`: sentences about another site that reads with our groups. `newest_ahead`: by how much the newest record is
    later than this machine's clock, None if there is no record.
    """

    brokers: BrokerSettings
    declared: dict[str, TopicSpec]
    waits: dict[str, timedelta] = {}
    others: tuple[str, ...] = ()
    newest_ahead: timedelta | None = None


class PostgreSQL(msgspec.Struct, frozen=True, kw_only=True):
    """A PostgreSQL server. `version`: as 170002. `settings`: what a session of this site has, in the base units.

    `shared`: two open sessions of this process are one at the server, so a pooler shares it. `needed`: the connections
    that the living processes may open. `ahead`: by how much its clock is ahead of this machine's.
    """

    version: int
    settings: dict[str, str]
    shared: bool = False
    needed: int = 0
    ahead: timedelta | None = None


class SQLite(msgspec.Struct, frozen=True, kw_only=True):
    """A SQLite file. `filesystem`: the type of its filesystem, "" if unknown. `hosts`: machines that run processes."""

    journal: str
    synchronous: int
    foreign_keys: bool
    transaction_mode: str
    busy_seconds: float
    filesystem: str = ""
    hosts: int = 1
    mode: int = 0o600


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder in which the site writes, and the room on its disk in bytes. `refused`: the error of a write."""

    path: str
    free: int
    refused: str = ""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the site. `key_kept`: the secret key was made at the first start and lies in a file of VAR_DIR.

    `behind`: by host, how far the last heartbeat of its processes lies in the future of this machine's clock.
    """

    debug: bool = False
    hosts: tuple[str, ...] = ("127.0.0.1",)
    url: str = ""
    secret_key: str = ""
    key_kept: bool = False
    proxy_header: bool = False
    redirects: bool = False
    secure_cookies: bool = False
    time_zones: bool = True
    mail: str = ""
    failpoints: tuple[str, ...] = ()
    atomic_requests: bool = False
    health_checks: bool = True
    keeps_connections: bool = True
    retention: timedelta = timedelta(hours=24)
    folders: tuple[Folder, ...] = ()
    ahead: dict[str, timedelta] = {}

    @property
    def public(self) -> bool:
        """True if other machines may reach the site."""
        return not all(host in LOOPBACK or host.endswith(".localhost") for host in self.hosts or ("?",))


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All facts. A part is None if the site does not have it, or if it could not be asked: `unknown` says which."""

    site: Site
    clients: Clients | None = None
    log: Log | None = None
    postgresql: PostgreSQL | None = None
    sqlite: SQLite | None = None
    unknown: dict[str, str] = {}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that endangers a promise. `id` is stable; `source`: the page of a manual that explains the setting."""

    id: str
    part: str
    what: str
    why: str
    remedy: str
    source: str

    def __str__(self) -> str:
        return f"{self.id}: {self.what}. {self.why} {self.remedy} ({self.source})"


class Rule(msgspec.Struct, frozen=True):
    """A rule, and what it says of each finding."""

    id: str
    why: str
    remedy: str
    source: str

    def found(self, what: str) -> Finding:
        """Return a finding of this rule. `what`: the setting and its value."""
        part = self.id.partition(".")[0]
        return Finding(id=self.id, part=part, what=what, why=self.why, remedy=self.remedy, source=self.source)


Found = Iterator[Finding]


def is_on(value: object) -> bool:
    """Return True for what Kafka, PostgreSQL and librdkafka write for true."""
    return str(value).lower() in {"1", "on", "true", "yes"}


def number(settings: Mapping[str, Any], name: str) -> int | None:
    """Return a setting as a number; None if it is missing or no number."""
    try:
        return int(settings[name])
    except (KeyError, TypeError, ValueError):
        return None


def kafka(section: str, name: str) -> str:
    """Return the address of a setting in Kafka's manual. `section`: producerconfigs, topicconfigs and so on."""
    return f"Kafka, {name}: https://kafka.apache.org/documentation/#{section}_{name}"


def postgresql(page: str, name: str) -> str:
    """Return the address of a setting in PostgreSQL's manual."""
    anchor = f"#GUC-{name.upper().replace('_', '-')}" if name else ""
    return f"PostgreSQL, {name or page}: https://www.postgresql.org/docs/current/{page}.html{anchor}"


def sqlite(page: str, name: str) -> str:
    """Return the address of a page in SQLite's manual."""
    return f"SQLite, {name}: https://www.sqlite.org/{page}"


def django(name: str) -> str:
    """Return the address of a setting in Django's manual."""
    anchor = name.lower().replace("_", "-")
    return f"Django, {name}: https://docs.djangoproject.com/en/5.2/ref/settings/#{anchor}"
