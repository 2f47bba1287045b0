"""The only reader of the environment.

An empty environment is a safe local site in one process, with loopback hosts, a generated key in `var/` and SQLite. The
bus is in memory, the feed is simulated, and the payment provider is the sandbox. A site that names other hosts is
deployed, and must set each value without a safe default. Wrong or missing values stop the start, each with a remedy.
"""

import errno
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from environs import Env, EnvValidationError, ValidationError, validate

from mcommerce.money import CURRENCIES
from stations.feeds.feed_names import is_replay, name_of, replay_entry
from stations.feeds.recordings.recording_file import BadRecording, head_of

try:
    import fcntl

    FILES_LOCK = True
except ImportError:  # Windows
    FILES_LOCK = False

BASE_DIR = Path(__file__).resolve().parent.parent
LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
BUS_BACKENDS = {
    "memory": "eventbus.backends.memory.MemoryBackend",
    "kafka": "eventbus.backends.kafka.backend.KafkaBackend",
}
KAFKA_SECURITY = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
_PASSWORD = ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
KAFKA_SASL_NEEDS = {
    "PLAIN": _PASSWORD,
    "SCRAM-SHA-256": _PASSWORD,
    "SCRAM-SHA-512": _PASSWORD,
    "OAUTHBEARER": ("KAFKA_OAUTH_TOKEN_URL", "KAFKA_OAUTH_CLIENT_ID", "KAFKA_OAUTH_CLIENT_SECRET"),
}
# smtp sends mail; dummy is for what sends none, such as the building of the image
DEPLOYED_MAIL = {f"django.core.mail.backends.{kind}.EmailBackend" for kind in ("smtp", "dummy")}
GBFS_ENTRY = re.compile(r"gbfs:(?:[a-z0-9][a-z0-9.-]{0,59}=)?https?://[^/?#@\s]+[^\s]*")
TRACES_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
POSITIVE = validate.Range(min=1)
MAKE_ONE = 'Make one: python -c "import secrets; print(secrets.token_urlsafe(50))"'
TOKEN_CHARACTERS_MIN = 20  # of 64 kinds: nobody guesses 120 bits
SIGNING_KEY_CHARACTERS_MIN = 32  # drawn at random, 32 characters are 190 bits: more than anybody guesses
RETENTION_HOURS_MAX = 100 * 366 * 24  # a century; farther back there is no date
DAYS_MAX = 100 * 366  # the same century in days
POLL_INTERVAL_MS_MAX = 3_600_000  # an hour, as on the producer's page: longer is "stopped"
PARTITIONS_MAX = 1_000  # each group has a row for each partition of each topic
REPLICATION_MAX = 32_767  # Kafka's protocol has 16 bits for it
PAYMENT_MINUTES_MAX = 366 * 24 * 60  # a year: stock is held so long for an order that is not paid
READY_SECONDS_MAX = 366 * 24 * 3_600  # a year: by then somebody has noticed without a probe

env = Env(eager=False)  # eager=False: collect every fault, then report them together


@env.parser_for("entries")
def _entries(said: str | list[str]) -> list[str]:
    """Return the entries between commas, without blanks around them. Empty ones are dropped: an empty key opens all."""
    between = said.split(",") if isinstance(said, str) else said
    return [entry.strip() for entry in between if entry.strip()]


@env.parser_for("pairs")
def _pairs(said: str | dict[str, str]) -> dict[str, str]:
    """Return the pairs `name=value` between commas."""
    if isinstance(said, dict):
        return said
    pairs = [entry.partition("=") for entry in _entries(said)]
    if not all(equals and name.strip() for name, equals, _value in pairs):
        raise ValidationError("Write name=value, with commas between the pairs.")
    return {name.strip(): value.strip() for name, _equals, value in pairs}


def _feed_entry(entry: str) -> str:
    """Return a feed's entry in small letters, but for an address or a file, whose letters count."""
    kind, colon, rest = entry.partition(":")
    return f"{kind.casefold()}:{rest}" if colon and kind.casefold() in {"gbfs", "replay"} else entry.casefold()


# --- what the environment says -------------------------------------------------------------------------------------

DEMO = env.bool("DEMO", False)
DEBUG = env.bool("DEBUG", bool(DEMO))
ALLOWED_HOSTS = env.entries("ALLOWED_HOSTS", LOOPBACK_HOSTS)
# The public address of the site; links in mail begin with it, so it ends without a slash
SITE_URL = env.str("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
TRUST_PROXY = env.bool("TRUST_PROXY", False)  # a proxy in front sets X-Forwarded-Proto, -For
VAR_DIR = Path(env.str("VAR_DIR", str(BASE_DIR / "var")) or BASE_DIR / "var")
HSTS_PRELOAD = env.bool("HSTS_PRELOAD", False)  # let browsers' makers list the domain and all below it as HTTPS only
SECRET_KEY = env.str("SECRET_KEY", "")
SECRET_KEY_FALLBACKS = env.entries("SECRET_KEY_FALLBACKS", [])  # older ones, whose signatures still hold
# The release that runs, such as a version or a commit: heartbeats name it, so that a mix of two is seen
RELEASE = env.str("RELEASE", "", validate=validate.Regexp(r"^[A-Za-z0-9._+-]{0,40}\Z"))
LOG_LEVEL = env.str("LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))
LOG_FORMAT = env.str("LOG_FORMAT", "text", validate=validate.OneOf(["text", "json"]))
_database = env.dj_db_url("DATABASE_URL", f"sqlite:///{VAR_DIR / 'mcommerce.sqlite3'}")
_bus = env.str("EVENTBUS_BACKEND", "memory", validate=validate.OneOf(list(BUS_BACKENDS)))
# The source of its events: one name for each database, where parts of the site have one of their own
EVENTBUS_SOURCE = env.str("EVENTBUS_SOURCE", "/mcommerce", validate=validate.Regexp(r"^/[A-Za-z0-9/._-]+\Z"))
# The key by which the relay signs records, and older ones, which only verify; without any, SECRET_KEY signs
EVENTBUS_SIGNING_KEYS = env.entries("EVENTBUS_SIGNING_KEYS", [])
# More partitions allow more workers
EVENTBUS_PARTITIONS = env.int("EVENTBUS_PARTITIONS", 4, validate=validate.Range(1, PARTITIONS_MAX))
KAFKA_BOOTSTRAP_SERVERS = env.str("KAFKA_BOOTSTRAP_SERVERS", "")  # host:port, comma-separated
KAFKA_PREFIX = env.str("KAFKA_PREFIX", "")  # prefix of the names of topics and groups, for a shared cluster
# Copies of a new topic; 3 in production
KAFKA_REPLICATION = env.int("KAFKA_REPLICATION", 1, validate=validate.Range(1, REPLICATION_MAX))
KAFKA_GROUP_PROTOCOL = env.str("KAFKA_GROUP_PROTOCOL", "classic", validate=validate.OneOf(["classic", "consumer"]))
KAFKA_GROUP_INSTANCE_ID = env.str("KAFKA_GROUP_INSTANCE_ID", "")  # a process's own name: static membership
# Settings of Kafka's clients by librdkafka's names, as "compression.type=zstd,fetch.wait.max.ms=50"
KAFKA_CLIENT_SETTINGS = env.pairs("KAFKA_CLIENT_SETTINGS", {})
KAFKA_SECURITY_PROTOCOL = env.str("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", validate=validate.OneOf(KAFKA_SECURITY))
KAFKA_SSL_CA_FILE = env.str("KAFKA_SSL_CA_FILE", "")
KAFKA_SSL_CERTIFICATE_FILE = env.str("KAFKA_SSL_CERTIFICATE_FILE", "")
KAFKA_SSL_KEY_FILE = env.str("KAFKA_SSL_KEY_FILE", "")
KAFKA_SSL_KEY_PASSWORD = env.str("KAFKA_SSL_KEY_PASSWORD", "")
KAFKA_SASL_MECHANISM = env.str("KAFKA_SASL_MECHANISM", "", validate=validate.OneOf(["", *KAFKA_SASL_NEEDS]))
KAFKA_SASL_USERNAME = env.str("KAFKA_SASL_USERNAME", "")
KAFKA_SASL_PASSWORD = env.str("KAFKA_SASL_PASSWORD", "")
KAFKA_OAUTH_TOKEN_URL = env.str("KAFKA_OAUTH_TOKEN_URL", "")
KAFKA_OAUTH_CLIENT_ID = env.str("KAFKA_OAUTH_CLIENT_ID", "")
KAFKA_OAUTH_CLIENT_SECRET = env.str("KAFKA_OAUTH_CLIENT_SECRET", "")
KAFKA_OAUTH_SCOPE = env.str("KAFKA_OAUTH_SCOPE", "")
EVENTBUS_FAILPOINTS = env.entries("EVENTBUS_FAILPOINTS", [])  # where a local site shall crash: eventbus/failpoints.py
# Hours to keep events that every group has passed: what a replay can show again
EVENTBUS_RETENTION_HOURS = env.int(
    "EVENTBUS_RETENTION_HOURS", 1 if DEMO else 24, validate=validate.Range(1, RETENTION_HOURS_MAX)
)
# Above these lags `eventbus status` reports a group as a problem: the number of waiting events, or the oldest's age.
# A batch is 200 events, and a poll publishes some thousands at once; five minutes are longer than any restart.
EVENTBUS_LAG_EVENTS_MAX = env.int("EVENTBUS_LAG_EVENTS_MAX", 10_000, validate=POSITIVE)
EVENTBUS_LAG_SECONDS_MAX = env.int("EVENTBUS_LAG_SECONDS_MAX", 300, validate=POSITIVE)
EVENTBUS_LIVENESS_FILE = env.str(
    "EVENTBUS_LIVENESS_FILE", ""
)  # touched by each heartbeat, for processes without a port
# Seconds that a server still serves after SIGTERM, while /health/serving and /health/ready answer 503.
# They are part of the twenty seconds after which running requests are cut off.
DRAIN_SECONDS = env.float("DRAIN_SECONDS", 0, validate=validate.Range(0, 15))
# Seconds after which an unsent event fails /health/ready; a standby relays within five, a restart takes thirty
READY_OUTBOX_SECONDS = env.int("READY_OUTBOX_SECONDS", 60, validate=validate.Range(1, READY_SECONDS_MAX))
# Operators are told when a fault begins and when it ends: their addresses, and a webhook with the key that signs it
EVENTBUS_NOTIFY_MAIL = env.entries("EVENTBUS_NOTIFY_MAIL", [])
EVENTBUS_NOTIFY_WEBHOOK = env.str("EVENTBUS_NOTIFY_WEBHOOK", "")
EVENTBUS_NOTIFY_SECRET = env.str("EVENTBUS_NOTIFY_SECRET", "")
EVENTBUS_NOTIFY_LANGUAGE = env.str("EVENTBUS_NOTIFY_LANGUAGE", "en", validate=validate.OneOf(["en", "fr"]))
HEALTH_TOKEN = env.str("HEALTH_TOKEN", "")  # a request with it reads /health/ready as staff do
# OpenTelemetry's own names; its SDK reads further ones. Without an address nothing is traced
TRACES_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "") or env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "")
OTEL_SERVICE_NAME = env.str("OTEL_SERVICE_NAME", "mcommerce") or "mcommerce"  # OpenTelemetry: empty is unset
METRICS_TOKEN = env.str("METRICS_TOKEN", "")  # only a request with it reads /metrics; without one, only this machine
RUN_BUS_IN_SERVER = env.bool(
    "RUN_BUS_IN_SERVER", True
)  # the server process also runs the bus, the poller and the local stand-ins
ORDER_PAYMENT_MINUTES = env.int("ORDER_PAYMENT_MINUTES", 30, validate=validate.Range(1, PAYMENT_MINUTES_MAX))
SHOP_CURRENCY = env.str("SHOP_CURRENCY", "EUR")
PAYMENT_PROVIDER = env.str("PAYMENT_PROVIDER", "sandbox", validate=validate.OneOf(["sandbox"]))
SANDBOX_PROVIDER_URL = env.str("SANDBOX_PROVIDER_URL", "http://127.0.0.1:8001")
SANDBOX_PROVIDER_KEY = env.str("SANDBOX_PROVIDER_KEY", "")
SANDBOX_WEBHOOK_SECRET = env.str("SANDBOX_WEBHOOK_SECRET", "")
SANDBOX_WEBHOOK_SECRET_FALLBACKS = env.entries("SANDBOX_WEBHOOK_SECRET_FALLBACKS", [])  # older ones, still valid
EMAIL_URL = env.dj_email_url("EMAIL_URL", "console:")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Mcommerce <shop@localhost>")
STATIONS_FEEDS = list(dict.fromkeys(_feed_entry(entry) for entry in env.entries("STATIONS_FEEDS", ["simulator"])))
STATIONS_PRIVATE_FEEDS = env.bool("STATIONS_PRIVATE_FEEDS", False)  # ask also addresses inside private networks
STATIONS_PRIVATE_WEBHOOKS = env.bool("STATIONS_PRIVATE_WEBHOOKS", False)  # of alerts: inside private networks, and http
JCDECAUX_API_KEY = env.str("JCDECAUX_API_KEY", "")
SIMULATOR_URL = env.str("SIMULATOR_URL", "http://127.0.0.1:8002")
SIMULATOR_SEED = env.int("SIMULATOR_SEED", 1)
STATIONS_POLL_INTERVAL_MS = env.int("STATIONS_POLL_INTERVAL_MS", 0, validate=validate.Range(0, POLL_INTERVAL_MS_MAX))
# Seconds of a recording in a second of now, for replay:<file>. At an hour a second each poll meets new counts.
STATIONS_REPLAY_SPEED = env.float("STATIONS_REPLAY_SPEED", 1.0, validate=validate.Range(min=0.01, max=3_600))
# The same day a year ago
STATIONS_HISTORY_DAYS = env.int("STATIONS_HISTORY_DAYS", 366, validate=validate.Range(1, DAYS_MAX))
# Five years: STATIONS_HISTORY_DAYS at least
STATIONS_HISTORY_HOURS_DAYS = env.int("STATIONS_HISTORY_HOURS_DAYS", 1827, validate=validate.Range(1, DAYS_MAX))
# Two months: a verdict and its check
STATIONS_FORECAST_DAYS = env.int("STATIONS_FORECAST_DAYS", 60, validate=validate.Range(1, DAYS_MAX))
STATIONS_MAP_FILE = env.str("STATIONS_MAP_FILE", "")  # a .pmtiles file of this machine: streets and water
STATIONS_TILE_URL = env.str("STATIONS_TILE_URL", "")  # "" draws the shipped outline of land, with no requests
STATIONS_TILE_ATTRIBUTION = env.str("STATIONS_TILE_ATTRIBUTION", "").strip()  # plain text: the owner of the tiles

PMTILES_3 = b"PMTiles\x03"  # how such a file begins

# Names below .localhost are loopback wherever names are resolved (RFC 6761).
LOCAL = all(host in LOOPBACK_HOSTS or host.endswith(".localhost") for host in ALLOWED_HOSTS or ["?"])


def _faults() -> list[str]:
    """Return the faults of values that are well-formed one by one, but not allowed together or on this site."""
    faults = []
    faults += _host_faults()
    if DEMO and not LOCAL:
        faults.append("DEMO opens doors, so it is for loopback only: unset DEMO, or unset ALLOWED_HOSTS")
    if DEBUG and not LOCAL:
        faults.append("DEBUG shows source and settings to visitors: unset DEBUG where ALLOWED_HOSTS is public")
    if EVENTBUS_FAILPOINTS and not LOCAL:
        faults.append("EVENTBUS_FAILPOINTS makes the site crash on purpose, so it is for loopback only: unset it")
    if not LOCAL:
        faults += _unset_faults()
    if any(len(key) < SIGNING_KEY_CHARACTERS_MIN for key in EVENTBUS_SIGNING_KEYS or []):
        faults.append(
            f"EVENTBUS_SIGNING_KEYS has a key of less than {SIGNING_KEY_CHARACTERS_MIN} characters, which can be "
            'guessed: make one with python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    if TRACES_ENDPOINT and not all(map(_is_installed, TRACES_PACKAGES)):
        faults.append(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and their packages are missing: install "
            "requirements-traces.txt, or unset it"
        )
    faults += _database_faults() + _kafka_faults() + _address_faults() + _mail_faults()
    if SHOP_CURRENCY not in CURRENCIES:
        faults.append(f"SHOP_CURRENCY is {SHOP_CURRENCY!r}: write the ISO 4217 code of a currency in use, such as EUR")
    if VAR_DIR.exists() and not VAR_DIR.is_dir():
        faults.append(f"VAR_DIR is {VAR_DIR}, which is no folder")
    faults += [
        f"{name} has fewer than {TOKEN_CHARACTERS_MIN} characters, so it can be guessed: {MAKE_ONE}"
        for name, token in {"HEALTH_TOKEN": HEALTH_TOKEN, "METRICS_TOKEN": METRICS_TOKEN}.items()
        if token and len(token) < TOKEN_CHARACTERS_MIN
    ]
    return faults + _notice_faults() + _station_faults()


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package that it would lie in is missing too
        return False


def _unset_faults() -> list[str]:
    """Return faults of settings that a deployed site must set."""
    remedies = {
        "SECRET_KEY": MAKE_ONE,
        "SITE_URL": "It is the public address, such as https://shop.example",
        "SANDBOX_PROVIDER_KEY": "Any long random text, the same at the provider",
        "SANDBOX_WEBHOOK_SECRET": "Any long random text, the same at the provider",
        "EMAIL_URL": "Name the mail server: submission://user:password@host:587",
    }
    return [
        f"{name} is not set: a deployed site must say it. {remedy}"
        for name, remedy in remedies.items()
        if not os.environ.get(name)
    ]


def _address_faults() -> list[str]:
    faults = []
    addresses = {"SITE_URL": SITE_URL, "SANDBOX_PROVIDER_URL": SANDBOX_PROVIDER_URL, "SIMULATOR_URL": SIMULATOR_URL}
    for name, url in addresses.items():
        if not _names_a_host(url):
            faults.append(f"{name} is {url!r}: write it as http://host:port")
    if _names_a_host(SITE_URL) and not _is_an_origin(SITE_URL):
        faults.append(
            "SITE_URL has more than scheme, host and port, and every link and webhook begins with it: "
            "write it as https://shop.example"
        )
    return faults


def _mail_faults() -> list[str]:
    if "EMAIL_BACKEND" not in EMAIL_URL:
        return ["EMAIL_URL is of no kind that is known: write submission://user:password@host:587 or console:"]
    if not LOCAL and EMAIL_URL["EMAIL_BACKEND"] not in DEPLOYED_MAIL:
        return [
            "EMAIL_URL is of a kind that leaves mails, and the keys of orders in them, in a deployed site's log, files "
            "or memory: write submission://user:password@host:587"
        ]
    return []


def _names_a_host(address: str) -> bool:
    try:
        found = urlsplit(address)
        return found.scheme in {"http", "https"} and bool(found.hostname) and found.port != 0
    except ValueError:  # an impossible port, or brackets that are no IPv6 address
        return False


def _is_an_origin(address: str) -> bool:
    """Return whether the address has only scheme, host and port: no user, path, query or fragment."""
    host = address.partition("://")[2]
    return "@" not in host and urlsplit(address).netloc == host


def _host_faults() -> list[str]:
    """Return the faults of hosts that let in names which are not the site's own."""
    faults = []
    for host in ALLOWED_HOSTS or []:
        if host == "*" or (host.startswith(".") and "." not in host[1:] and host != ".localhost"):
            faults.append(
                f"ALLOWED_HOSTS has {host!r}, which lets strangers' names in: name the site's own, "
                "such as shop.example, or .shop.example for all below it"
            )
    return faults


def _notice_faults() -> list[str]:
    faults = [
        f"EVENTBUS_NOTIFY_MAIL has {address!r}, which is no address: write it as operator@shop.example"
        for address in EVENTBUS_NOTIFY_MAIL or []
        if not all(address.rpartition("@")[::2])
    ]
    if EVENTBUS_NOTIFY_WEBHOOK and not _names_a_host(EVENTBUS_NOTIFY_WEBHOOK):
        faults.append(f"EVENTBUS_NOTIFY_WEBHOOK is {EVENTBUS_NOTIFY_WEBHOOK!r}: write it as https://host/path")
    if EVENTBUS_NOTIFY_WEBHOOK and len(EVENTBUS_NOTIFY_SECRET or "") < TOKEN_CHARACTERS_MIN:
        faults.append(
            f"EVENTBUS_NOTIFY_SECRET has fewer than {TOKEN_CHARACTERS_MIN} characters, and signs the notices of "
            f"EVENTBUS_NOTIFY_WEBHOOK: {MAKE_ONE}"
        )
    return faults


def _station_faults() -> list[str]:
    faults = _map_file_faults()
    if STATIONS_TILE_URL and not _draws_tiles(STATIONS_TILE_URL):
        faults.append(
            f"STATIONS_TILE_URL is {STATIONS_TILE_URL!r}: write it as https://host/{{z}}/{{x}}/{{y}}.png, of one host, "
            "or as a path of this site"
        )
    if STATIONS_TILE_URL and not STATIONS_TILE_ATTRIBUTION:
        faults.append(
            "STATIONS_TILE_ATTRIBUTION is not set: who draws the tiles of STATIONS_TILE_URL is named on the map, "
            "such as © OpenStreetMap contributors"
        )
    for feed in STATIONS_FEEDS or []:
        if is_replay(feed):
            faults += _recording_faults(feed)
        elif feed.split(":")[0] not in {"simulator", "jcdecaux"} and not GBFS_ENTRY.fullmatch(feed):
            faults.append(
                f"STATIONS_FEEDS names {feed!r}: use simulator, jcdecaux, jcdecaux:<contract>, gbfs:<address> "
                "or replay:<file>"
            )
    if (STATIONS_HISTORY_HOURS_DAYS or 0) < (STATIONS_HISTORY_DAYS or 0):
        faults.append(
            "STATIONS_HISTORY_HOURS_DAYS is less than STATIONS_HISTORY_DAYS: keep the hours at least as long as "
            "the changes that they count"
        )
    names = Counter(map(name_of, STATIONS_FEEDS or []))
    return faults + [
        f"STATIONS_FEEDS has {count} feeds called {name!r}: give each a short name, as gbfs:<name>=<address>"
        for name, count in names.items()
        if count > 1
    ]


def _recording_faults(feed: str) -> list[str]:
    try:
        head_of(Path(replay_entry(feed)[1]))
    except BadRecording as bad:
        return [f"STATIONS_FEEDS names {feed!r}: {bad}"]
    return []


def _map_file_faults() -> list[str]:
    if not STATIONS_MAP_FILE:
        return []
    try:
        with Path(STATIONS_MAP_FILE).open("rb") as file:
            begins = file.read(len(PMTILES_3))
    except OSError as error:
        return [f"STATIONS_MAP_FILE is {STATIONS_MAP_FILE!r}, which cannot be read: {error.strerror}"]
    if begins != PMTILES_3:
        return [f"STATIONS_MAP_FILE is {STATIONS_MAP_FILE!r}, which is no PMTiles file of version 3"]
    if STATIONS_TILE_URL:
        return ["STATIONS_MAP_FILE and STATIONS_TILE_URL are both set, and the map has one ground: unset one of them"]
    return []


def _draws_tiles(address: str) -> bool:
    """Return whether this is an address of tiles, with places for zoom, column and row."""
    try:
        found = urlsplit(address)
    except ValueError:  # brackets that are no IPv6 address
        return False
    elsewhere = found.scheme in {"http", "https"} and found.netloc and "{" not in found.netloc  # the CSP names one host
    here = not found.scheme and not found.netloc and found.path.startswith("/")
    rows = "{y}" in address or "{-y}" in address  # the latter counts from the south
    return bool(elsewhere or here) and "{z}" in address and "{x}" in address and rows


def _database_faults() -> list[str]:
    name, write = _database["NAME"], "write it as postgres://user:password@host/name or sqlite:////folder/file"
    if _database["ENGINE"] not in {"django.db.backends.postgresql", "django.db.backends.sqlite3"}:
        return [f"DATABASE_URL is of no kind that the site runs on: {write}"]
    if not name and "service" not in _database.get("OPTIONS", {}):
        return [f"DATABASE_URL names no database: {write}"]
    if ":memory:" in name or "mode=memory" in name:  # each connection would have its own, or lock whole tables
        return [f"DATABASE_URL names no file: {write}"]
    if "DATABASE_URL" in os.environ and _database["ENGINE"].endswith("sqlite3") and not Path(name).parent.is_dir():
        return [f"DATABASE_URL names a file in {Path(name).parent}, and there is no such folder"]
    return []


def _kafka_faults() -> list[str]:
    if _bus != "kafka":
        return []
    needed = ["KAFKA_BOOTSTRAP_SERVERS"]
    if (KAFKA_SECURITY_PROTOCOL or "").startswith("SASL"):
        needed += ["KAFKA_SASL_MECHANISM", *KAFKA_SASL_NEEDS.get(KAFKA_SASL_MECHANISM or "", ())]
    faults = [f"{name} is not set: EVENTBUS_BACKEND=kafka needs it" for name in needed if not os.environ.get(name)]
    if KAFKA_SASL_MECHANISM and not (KAFKA_SECURITY_PROTOCOL or "").startswith("SASL"):
        faults.append("KAFKA_SASL_MECHANISM needs KAFKA_SECURITY_PROTOCOL=SASL_SSL, or SASL_PLAINTEXT")
    files = {
        "KAFKA_SSL_CA_FILE": KAFKA_SSL_CA_FILE,
        "KAFKA_SSL_CERTIFICATE_FILE": KAFKA_SSL_CERTIFICATE_FILE,
        "KAFKA_SSL_KEY_FILE": KAFKA_SSL_KEY_FILE,
    }
    faults += [f"{name} names no file: {path}" for name, path in files.items() if path and not Path(path).is_file()]
    return faults


def _kafka_clients() -> dict[str, str]:
    """Return the settings of Kafka's clients beside the bus's own, by librdkafka's names; unset ones are left out."""
    told = {
        "group.protocol": KAFKA_GROUP_PROTOCOL,
        "group.instance.id": KAFKA_GROUP_INSTANCE_ID,
        "security.protocol": KAFKA_SECURITY_PROTOCOL,
        "ssl.ca.location": KAFKA_SSL_CA_FILE,
        "ssl.certificate.location": KAFKA_SSL_CERTIFICATE_FILE,
        "ssl.key.location": KAFKA_SSL_KEY_FILE,
        "ssl.key.password": KAFKA_SSL_KEY_PASSWORD,
    }
    if KAFKA_SECURITY_PROTOCOL.startswith("SASL"):
        told |= {"sasl.mechanism": KAFKA_SASL_MECHANISM}
        if KAFKA_SASL_MECHANISM == "OAUTHBEARER":
            told |= {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": KAFKA_OAUTH_TOKEN_URL,
                "sasl.oauthbearer.client.id": KAFKA_OAUTH_CLIENT_ID,
                "sasl.oauthbearer.client.secret": KAFKA_OAUTH_CLIENT_SECRET,
                "sasl.oauthbearer.scope": KAFKA_OAUTH_SCOPE,
            }
        else:
            told |= {"sasl.username": KAFKA_SASL_USERNAME, "sasl.password": KAFKA_SASL_PASSWORD}
    return {**KAFKA_CLIENT_SETTINGS, **{name: value for name, value in told.items() if value}}


try:
    env.seal()
except EnvValidationError as error:
    by_name = cast("dict[str, list[str]]", error.error_messages)
    raise ImproperlyConfigured(
        "The environment is wrong: "
        + "; ".join(f"{name}: {' '.join(map(str, said))}" for name, said in by_name.items())
    ) from None
# Whether the environment names each setting; the others have their defaults. For the operator's page of processes.
SET_BY_ENVIRONMENT = {name: name in os.environ for name in env.dump()}
if found := _faults():
    raise ImproperlyConfigured("The environment is wrong: " + "; ".join(found))


def _kept_secret(name: str) -> str:
    """Return a random text, made once and kept in a file of VAR_DIR that only its owner reads."""
    path = VAR_DIR / name
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    if not (kept := _text_of(path)):
        with _only_one_in(VAR_DIR):
            if not (kept := _text_of(path)):
                kept = secrets.token_urlsafe(50)
                _write_whole(path, kept)
    return kept


def _text_of(path: Path) -> str:
    """Return the file's text, or "" if it is missing. An empty file counts as missing."""
    return path.read_text(encoding="ascii") if path.exists() else ""


@contextmanager
def _only_one_in(folder: Path) -> Iterator[None]:
    """Let only one process at a time make a key. A process that dies releases its lock."""
    if not FILES_LOCK:
        yield
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _prepare_database_file() -> None:
    """Create SQLite's file so that only its owner can read it. By SQLite's own default everybody could.

    SQLite gives the same rights to the files beside it, which hold the latest writes.
    """
    file = Path(_database["NAME"])
    if not _database["ENGINE"].endswith("sqlite3") or str(file).startswith("file:"):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    for needed in (file, file.parent):
        if not os.access(needed, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(needed))


def _unwritable(error: OSError) -> str:
    where = Path(error.filename) if error.filename else VAR_DIR
    setting = "VAR_DIR" if where.is_relative_to(VAR_DIR) or VAR_DIR.is_relative_to(where) else "DATABASE_URL"
    kept = VAR_DIR if setting == "VAR_DIR" else where.parent
    return (
        f"{setting} keeps its files in {kept}, and {where} cannot be used there: {error.strerror}. "
        f"Let this user write there, or name another folder in {setting}"
    )


def _write_whole(path: Path, text: str) -> None:
    """Write a file atomically: it has all of its text or does not exist, at any crash and for any reader."""
    new = path.with_name(f"{path.name}.new")
    with open(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


try:
    SECRET_KEY = SECRET_KEY or _kept_secret("secret_key")
    SANDBOX_PROVIDER_KEY = SANDBOX_PROVIDER_KEY or _kept_secret("sandbox_key")
    SANDBOX_WEBHOOK_SECRET = SANDBOX_WEBHOOK_SECRET or _kept_secret("sandbox_webhook_secret")
    _prepare_database_file()
except OSError as error:
    raise ImproperlyConfigured(_unwritable(error)) from None
# Where each process keeps its metrics, by the name that prometheus_client knows. A value from the environment is not
# used: it would be of another site, which has started this one.
if FILES_LOCK:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(VAR_DIR / "metrics")
_simulated = all(feed.startswith("simulator") for feed in STATIONS_FEEDS)
_replayed = all(map(is_replay, STATIONS_FEEDS))
# JCDecaux refreshes a minute; so does a recording of it, at its own speed
_interval_ms = 2_000 if _simulated else round(60_000 / STATIONS_REPLAY_SPEED) if _replayed else 60_000
STATIONS_POLL_INTERVAL_MS = STATIONS_POLL_INTERVAL_MS or min(max(_interval_ms, 1_000), 60_000)
STATIONS_PRODUCER_OPEN = DEMO
# The fragments of other apps on a station's page; "" for none. The stations import no shop
STATIONS_PAGE_FRAGMENTS = "mcommerce.web.slots.live.LiveFragments"

# --- Django --------------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "mcommerce.daphne",  # before staticfiles: its runserver speaks WebSocket
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",  # so that templates/django/forms may say how a field looks
    "channels",
    "csp",
    "django_htmx",  # for its static file alone
    "eventbus",
    "mcommerce.features",
    "mcommerce.web.slots",
    "mcommerce.rate_limits",
    "mcommerce.accounts",
    "mcommerce.products",
    "mcommerce.orders",
    "mcommerce.payment",
    # `manage.py startapp` adds a new feature above this line
    "mcommerce.reconcile",
    "mcommerce.notices",
    "stations",
    "allauth",  # after our apps, whose translations take precedence
    "allauth.account",
    "allauth.mfa",
]
MIDDLEWARE = [
    "mcommerce.monitoring.http_requests.requests_are_counted",
    "mcommerce.web.correlation.requests_have_ids",
    "mcommerce.web.response_headers.on_pages",
    "mcommerce.monitoring.page.before_hosts_are_checked",
    "mcommerce.readiness.health_pages.before_hosts_are_checked",
    "mcommerce.monitoring.http_traces.requests_are_traced",  # probes and scrapes, which are answered above, are not
    "mcommerce.web.proxy.visitors_have_their_addresses",
    "mcommerce.web.canonical_host.one_name_on_this_machine",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "mcommerce.web.resubmission.forms_are_carried_out_once",  # around the session, which is saved with the rest
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "mcommerce.web.bad_input.BadInputMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "mcommerce.overview.locks.recognition.staff_are_recognised",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "mcommerce.accounts.sign_in.second_factor.staff_have_one",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "mcommerce.rate_limits.middleware.RateLimitedAnswers",
]
ROOT_URLCONF = "mcommerce.urls"
ASGI_APPLICATION = "mcommerce.asgi.application"
WSGI_APPLICATION = "mcommerce.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mcommerce.features.context_processors.of_each_feature",
            ],
            "libraries": {
                "money": "mcommerce.money.template_filters",
                "slots": "mcommerce.web.slots.template_tags",
            },
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- accounts: django-allauth --------------------------------------------------------------------------------------
# Everything about codes and limits is in docs/decisions/0018-who-may-guess.md.

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "mcommerce.accounts.sign_in.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "mcommerce.accounts.forms.RegisterForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True  # typed on the page of registration, where `next` is still known
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_CHANGE_EMAIL = True  # one address per person; a new one replaces it once it is verified
ACCOUNT_EMAIL_NOTIFICATIONS = True  # mails about a changed password or address
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa"]
PASSWORD_RESET_TIMEOUT = 2 * 60 * 60  # seconds that a mailed link opens the account: it lies in mail boxes and logs
# Requests per span, by network address (`ip`), account (`user`) or subject (`key`). `sign_in/password_guesses.py`
# limits guesses at a password; `login_failed` limits the rest: codes of a second factor.
ACCOUNT_RATE_LIMITS = {
    "login": "100/15m/ip",  # a whole office behind one router
    "login_failed": "10/15m/key",  # more than anybody mistypes
    "signup": "20/h/ip",  # a class of pupils
    "confirm_email": "60/h/ip",  # mails with a code; how many one mailbox gets: mcommerce/accounts/limits.py
    "reset_password": "60/h/ip",  # mails with a link
    "reset_password_from_key": "30/m/ip",
    "change_password": "10/15m/user",
    "manage_email": "20/h/user",
    "reauthenticate": "10/15m/user",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Mcommerce"
MFA_TOTP_TOLERANCE = 1  # spans of 30 seconds that a telephone's clock may be off
STAFF_SECOND_FACTOR = not LOCAL  # on a local site the printed password is enough

# --- database ------------------------------------------------------------------------------------------------------

SQLITE_BUSY_SECONDS = 20  # longer than any of our transactions, so that only a stopped process makes a writer give up
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",  # a transaction that reads first and writes later cannot upgrade its lock
    "timeout": SQLITE_BUSY_SECONDS,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
}
# A stopped process must not keep its locks; 10 s is more than any of our transactions needs. A failed database machine
# sends nothing: keepalives notice that during a wait, the user timeout after a send. Otherwise it takes 15 minutes.
POSTGRES_OPTIONS = {
    "options": "-c idle_in_transaction_session_timeout=10000 -c lock_timeout=8000",
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}
DATABASES = {"default": {**_database, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"] |= {"ENGINE": "eventbus.database.sqlite3", "OPTIONS": SQLITE_OPTIONS, "CONN_MAX_AGE": None}
else:
    _asked = DATABASES["default"].get("OPTIONS", {})  # the query of DATABASE_URL
    _server_options = f"{_asked.get('options', '')} {POSTGRES_OPTIONS['options']}".strip()  # the last one wins
    DATABASES["default"]["OPTIONS"] = {**POSTGRES_OPTIONS, **_asked, "options": _server_options}

# Rate limits hold across processes, so they are counted in the database, which all processes share.
CACHES = {"default": {"BACKEND": "mcommerce.rate_limits.counting_cache.CountingCache", "LOCATION": "cache_entry"}}

EVENTBUS_FAILPOINTS_FOLDER = VAR_DIR / "failpoints"  # a file for each failpoint that has fired: it does not fire again
_bus_options: dict[str, object] = {"partitions": EVENTBUS_PARTITIONS}
if _bus == "kafka":
    _bus_options |= {
        "servers": KAFKA_BOOTSTRAP_SERVERS,
        "prefix": KAFKA_PREFIX,
        "replication": KAFKA_REPLICATION,
        "clients": _kafka_clients(),
    }
EVENTBUS = {
    "BACKEND": BUS_BACKENDS[_bus],
    "OPTIONS": _bus_options,
    "SOURCE": EVENTBUS_SOURCE,
    "RELEASE": RELEASE,
    "SIGNING_KEYS": EVENTBUS_SIGNING_KEYS,
    "DEPLOYED": not LOCAL,
    "TRACED_AS": OTEL_SERVICE_NAME if TRACES_ENDPOINT else "",
}

# --- language and time ---------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "mcommerce" / "locale"]
SHOP_LANGUAGE = "fr"  # what the merchant writes first; other languages fall back to it
TIME_ZONE = "UTC"
USE_TZ = True

# --- files, mail, log ----------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "mcommerce" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCAL
        else "mcommerce.web.static_files.HashedFiles"
    },
}
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"
# With SMTP, a circuit breaker opens for a server that does not answer.
_smtp = EMAIL_URL["EMAIL_BACKEND"].endswith(".smtp.EmailBackend")
EMAIL_BACKEND = "outside.mail.EmailBackend" if _smtp else EMAIL_URL["EMAIL_BACKEND"]
EMAIL_HOST = EMAIL_URL["EMAIL_HOST"]
EMAIL_PORT = EMAIL_URL["EMAIL_PORT"]
EMAIL_HOST_USER = EMAIL_URL["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = EMAIL_URL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = EMAIL_URL["EMAIL_USE_TLS"]
EMAIL_USE_SSL = EMAIL_URL["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = 10  # seconds; a mail server that says nothing must not hold the mail group for ever
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {
            "()": "mcommerce.web.redaction.Formatter",
            "format": "{asctime} {levelname} {name}: {message}{correlation}",
            "style": "{",
        },
        "json": {"()": "mcommerce.web.redaction.JSONFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": []},  # its own would log everything twice
        # The servers' own handlers would log addresses with the keys in them.
        **{
            name: {"handlers": ["console"], "propagate": False}
            for name in ("gunicorn.access", "gunicorn.error", "uvicorn", "uvicorn.access")
        },
        "daphne": {"level": "WARNING"},
        "django.channels.server": {"level": "WARNING"},
    },
}

# --- what a browser may do -----------------------------------------------------------------------------------------

_tiles = urlsplit(STATIONS_TILE_URL)
_tile_origin = [f"{_tiles.scheme}://{_tiles.netloc}"] if _tiles.netloc else []
_provider = urlsplit(SANDBOX_PROVIDER_URL)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", *_tile_origin],
        "connect-src": ["'self'", *_tile_origin],  # the map fetches its tiles
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        # Pressing Pay posts a form that is redirected to the provider's own page.
        "form-action": ["'self'", f"{_provider.scheme}://{_provider.netloc}"],
    }
}
# Bytes. A larger message ends its socket under runserver; docker-entrypoint has the same limit and its reason.
DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE = DAPHNE_WEBSOCKET_MAX_FRAME_SIZE = 64 * 1024
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CSRF_COOKIE_HTTPONLY = True
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if not LOCAL:
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000  # a year, what preload lists ask for
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = HSTS_PRELOAD
# The domain's owner decides whether it is in every browser's list for good, not each release.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
