"""Rules about the database: PostgreSQL, or SQLite."""

from datetime import timedelta

from eventbus.doctor.facts import Found, PostgreSQL, Rule, SQLite, is_on, number, postgresql, sqlite
from eventbus.registry import HANDLER_SECONDS

VERSION_MIN = 140_000  # Django 5.2 supports none before PostgreSQL 14
STATEMENT_MS_MIN = int(HANDLER_SECONDS * 1_000)  # a handler may be a single long statement
IDLE_MS_MIN = 5_000  # a handler computes between two statements
LOCK_MS_MIN = 1_000  # a batch of another process holds a group's progress for as long
BUSY_SECONDS_MIN = 5.0  # every writer of SQLite waits for all the others
AHEAD_MAX = timedelta(seconds=2)  # timers and retries come by so much too early or too late
FULL = 2  # PRAGMA synchronous: each commit is on the disk
OTHERS_MAY_READ = 0o077
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs", "vboxsf"})


def _runtime(name: str) -> str:
    return postgresql("runtime-config-client", name)


def _disk(name: str) -> str:
    return postgresql("runtime-config-wal", name)


VERSION = Rule(
    "postgresql.version",
    "Django and the bus are not tested with it, and nobody repairs its bugs.",
    "Upgrade the server to PostgreSQL 14 or later.",
    "PostgreSQL, Versioning Policy: https://www.postgresql.org/support/versioning/",
)
FSYNC = Rule("postgresql.fsync", "A crash of the machine can ruin the whole database.", "Set fsync=on.", _disk("fsync"))
PAGES = Rule(
    "postgresql.full-page-writes",
    "A crash of the machine in the middle of a write ruins pages for good.",
    "Set full_page_writes=on.",
    _disk("full_page_writes"),
)
COMMIT = Rule(
    "postgresql.synchronous-commit",
    "A crash loses transactions that were committed: the log then has events that the database forgot.",
    "Set synchronous_commit=on.",
    _disk("synchronous_commit"),
)
ISOLATION = Rule(
    "postgresql.isolation",
    "Concurrent writers of the bus fail with serialization errors, instead of waiting for a lock.",
    "Set default_transaction_isolation='read committed' for the site's user.",
    _runtime("default_transaction_isolation"),
)
READ_ONLY = Rule(
    "postgresql.read-only",
    "Nothing can be published or handled.",
    "Name the primary in DATABASE_URL, and set default_transaction_read_only=off for the site's user.",
    _runtime("default_transaction_read_only"),
)
STATEMENT = Rule(
    "postgresql.statement-timeout",
    "Statements of handlers, pruning and migrations end early, and their events fail again and again.",
    f"Set statement_timeout to 0, or to at least {STATEMENT_MS_MIN} ms, for the site's user.",
    _runtime("statement_timeout"),
)
IDLE = Rule(
    "postgresql.idle-in-transaction",
    "A transaction of a handler is cut off while the handler computes.",
    f"Set idle_in_transaction_session_timeout to at least {IDLE_MS_MIN} ms.",
    _runtime("idle_in_transaction_session_timeout"),
)
FROZEN = Rule(
    "postgresql.frozen-sessions",
    "A process that was stopped in a transaction keeps its locks, and a group stands still for as long.",
    "Let the options of DATABASE_URL reach the server (a pooler may drop them), or set "
    "idle_in_transaction_session_timeout=10s for the site's user.",
    _runtime("idle_in_transaction_session_timeout"),
)
LOCK = Rule(
    "postgresql.lock-timeout",
    "Writers give up while another process only finishes its batch.",
    f"Set lock_timeout to 0, or to at least {LOCK_MS_MIN} ms.",
    _runtime("lock_timeout"),
)
POOLED = Rule(
    "postgresql.transaction-pooling",
    "Settings, advisory locks and prepared statements of a session reach another client's transactions.",
    "Use session pooling (pool_mode=session), or connect to the server itself.",
    "PgBouncer, Features: https://www.pgbouncer.org/features.html",
)
CONNECTIONS = Rule(
    "postgresql.connections",
    "Processes that start last get no connection, such as a second relay that should take over.",
    "Raise max_connections, or start fewer processes: docs/operations.md, How many of each.",
    postgresql("runtime-config-connection", "max_connections"),
)
ENCODING = Rule(
    "postgresql.encoding",
    "An event with a character that the encoding lacks cannot be stored.",
    "Make the database anew with ENCODING 'UTF8', and restore a dump into it.",
    postgresql("multibyte", ""),
)
VACUUM = Rule(
    "postgresql.autovacuum",
    "Outbox and inbox lose rows all day: without vacuum they grow, and become slow.",
    "Set autovacuum=on.",
    postgresql("runtime-config-vacuum", "autovacuum"),
)
CLOCK = Rule(
    "clock.database",
    "Times that the server writes differ from those of the processes: timers and retention go wrong.",
    "Run NTP, for example chrony or systemd-timesyncd, on both machines.",
    postgresql("functions-datetime", ""),
)
JOURNAL = Rule(
    "sqlite.journal",
    "Readers and the writer block one another, so pages fail while the bus works.",
    "Set PRAGMA journal_mode=WAL in init_command.",
    sqlite("wal.html", "Write-Ahead Logging"),
)
SYNCHRONOUS = Rule(
    "sqlite.synchronous",
    "A power cut loses committed transactions, and the events in them.",
    "Set PRAGMA synchronous=FULL in init_command.",
    sqlite("pragma.html#pragma_synchronous", "PRAGMA synchronous"),
)
KEYS = Rule(
    "sqlite.foreign-keys",
    "Rows that refer to deleted ones remain.",
    "Set PRAGMA foreign_keys=ON in init_command.",
    sqlite("foreignkeys.html", "Foreign Key Support"),
)
NETWORK_FILE = Rule(
    "sqlite.network",
    "File locks and shared memory do not work there: two writers ruin the file.",
    "Move the file to a local disk (DATABASE_URL), or use PostgreSQL.",
    sqlite("useovernet.html", "SQLite Over a Network"),
)
BUSY = Rule(
    "sqlite.busy-timeout",
    'A writer that only has to wait fails with "database is locked".',
    f"Set timeout in OPTIONS to at least {BUSY_SECONDS_MIN:g} s.",
    sqlite("pragma.html#pragma_busy_timeout", "PRAGMA busy_timeout"),
)
DEFERRED = Rule(
    "sqlite.transaction-mode",
    "A transaction that reads first and then writes cannot wait for its lock: it fails at once.",
    'Set transaction_mode="IMMEDIATE" in OPTIONS.',
    sqlite("lang_transaction.html", "Transaction"),
)
HOSTS = Rule(
    "sqlite.hosts",
    "Each machine has a file of its own, or they share one over the network, which ruins it.",
    "Use PostgreSQL for more than one machine.",
    sqlite("whentouse.html", "Appropriate Uses For SQLite"),
)
MODE = Rule(
    "sqlite.readable",
    "Every user of this machine can read orders, sessions and password hashes.",
    "Let only the site's user read the file: chmod 600.",
    sqlite("security.html", "Defense Against The Dark Arts"),
)


def of_postgresql(found: PostgreSQL) -> Found:
    """Yield what the settings of the server and of our sessions endanger."""
    if found.version < VERSION_MIN:
        yield VERSION.found(f"The server is PostgreSQL {found.version // 10_000}")
    for rule, name in ((FSYNC, "fsync"), (PAGES, "full_page_writes"), (VACUUM, "autovacuum")):
        if not is_on(found.settings.get(name, "on")):
            yield rule.found(f"{name} is off")
    if (commit := found.settings.get("synchronous_commit", "on")) == "off":
        yield COMMIT.found(f"synchronous_commit is {commit}")
    if (level := found.settings.get("default_transaction_isolation", "read committed")) != "read committed":
        yield ISOLATION.found(f"default_transaction_isolation is {level}")
    if is_on(found.settings.get("default_transaction_read_only", "off")):
        yield READ_ONLY.found("default_transaction_read_only is on")
    if (encoding := found.settings.get("server_encoding", "UTF8")) != "UTF8":
        yield ENCODING.found(f"server_encoding is {encoding}")
    yield from _of_timeouts(found.settings)
    if found.shared:
        yield POOLED.found("Two open sessions of one process are the same session at the server")
    yield from _of_connections(found)
    if found.ahead is not None and abs(found.ahead) > AHEAD_MAX:
        yield CLOCK.found(f"The database's clock is {found.ahead.total_seconds():+.1f} s off this machine's")


def _of_timeouts(settings: dict[str, str]) -> Found:
    for rule, name, least in (
        (STATEMENT, "statement_timeout", STATEMENT_MS_MIN),
        (IDLE, "idle_in_transaction_session_timeout", IDLE_MS_MIN),
        (LOCK, "lock_timeout", LOCK_MS_MIN),
    ):
        milliseconds = number(settings, name)
        if milliseconds is not None and 0 < milliseconds < least:
            yield rule.found(f"{name} is {milliseconds} ms")
    if number(settings, "idle_in_transaction_session_timeout") == 0:
        yield FROZEN.found("idle_in_transaction_session_timeout is 0 (off) in our sessions")


def _of_connections(found: PostgreSQL) -> Found:
    most = number(found.settings, "max_connections")
    kept = number(found.settings, "superuser_reserved_connections") or 0
    if most is not None and found.needed > most - kept:
        yield CONNECTIONS.found(f"The processes may open {found.needed} connections, the server has {most - kept}")


def of_sqlite(found: SQLite) -> Found:
    """Yield what the settings of the file and of our connections endanger."""
    if found.journal.lower() != "wal":
        yield JOURNAL.found(f"journal_mode is {found.journal}")
    if found.synchronous < FULL:
        yield SYNCHRONOUS.found(f"synchronous is {found.synchronous}")
    if not found.foreign_keys:
        yield KEYS.found("foreign_keys is off")
    if found.filesystem in NETWORK:
        yield NETWORK_FILE.found(f"The file lies on a network filesystem ({found.filesystem})")
    if found.busy_seconds < BUSY_SECONDS_MIN:
        yield BUSY.found(f"The busy timeout is {found.busy_seconds:g} s")
    if found.transaction_mode.upper() not in {"IMMEDIATE", "EXCLUSIVE"}:
        yield DEFERRED.found(f"transaction_mode is {found.transaction_mode or 'DEFERRED'}")
    if found.hosts > 1:
        yield HOSTS.found(f"Processes of {found.hosts} machines use a SQLite file")
    if found.mode & OTHERS_MAY_READ:
        yield MODE.found(f"The file has the rights {found.mode:o}")
