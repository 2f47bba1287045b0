"""Rules about Django's settings, the proxy, disks, retention and the clocks of other machines."""

from datetime import timedelta
from urllib.parse import urlsplit

from eventbus.doctor.facts import LOOPBACK, Found, Rule, Site, django

KEY_CHARACTERS_MIN, KEY_KINDS_MIN = 50, 5  # Django's own check asks for as much
KNOWN_WORDS = ("change", "secret", "password", "example")  # in a random text they come once in a lifetime
KEY_MADE_BY_DJANGO = "django-insecure-"  # how `startproject` begins the key that it writes into the source
RETENTION_MAX = timedelta(days=90)  # a million rows of outbox and inbox for ten thousand events a day
FREE_BYTES_MIN = 200 * 2**20  # an hour of logs, and the room that SQLite and pictures need for a moment
AHEAD_MAX = timedelta(seconds=5)  # clocks that are kept by NTP differ by milliseconds
PORT_OF_A_SERVER = 1024  # proxies listen below it, on 80 and 443
SILENT_MAIL = ("console", "dummy", "locmem", "filebased")

DEBUG = Rule(
    "site.debug",
    "Visitors of a page with an error see source and settings, and every query is kept in memory.",
    "Unset DEBUG.",
    django("DEBUG"),
)
HOSTS = Rule(
    "site.hosts",
    "Links in mails, such as to reset a password, can name a stranger's host.",
    "Name the site's own hosts in ALLOWED_HOSTS.",
    django("ALLOWED_HOSTS"),
)
KEY = Rule(
    "site.secret-key",
    "Who guesses the key signs in as anybody, and forges events: the relay signs records with it.",
    'Make one: python -c "import secrets; print(secrets.token_urlsafe(50))".',
    django("SECRET_KEY"),
)
KEY_KEPT = Rule(
    "site.secret-key-generated",
    "Each machine makes its own, so sessions, links and signed events of one are refused by the others.",
    "Set SECRET_KEY, the same for all processes.",
    django("SECRET_KEY"),
)
PROXY = Rule(
    "proxy.header-without-proxy",
    "A visitor writes the header himself: he chooses the address that rate limits count, and that a page is secure.",
    "Unset TRUST_PROXY where visitors reach the server without a proxy.",
    django("SECURE_PROXY_SSL_HEADER"),
)
NO_PROXY = Rule(
    "proxy.header-not-trusted",
    "The server does not know that a visitor came by HTTPS, so it redirects every page to itself without end.",
    "Set TRUST_PROXY=1, and let the proxy set X-Forwarded-Proto itself.",
    django("SECURE_PROXY_SSL_HEADER"),
)
COOKIES = Rule(
    "site.cookies",
    "Cookies of sessions go over lines that others read.",
    "Let SITE_URL begin with https, and set SESSION_COOKIE_SECURE.",
    django("SESSION_COOKIE_SECURE"),
)
MAIL = Rule(
    "site.mail",
    "Nobody gets a mail, and the keys of orders in them lie in a log.",
    "Name the mail server: EMAIL_URL=submission://user:password@host:587.",
    django("EMAIL_BACKEND"),
)
TIME = Rule(
    "site.time-zones",
    "An hour is repeated in autumn: timers fire twice as late, and events seem to come before their causes.",
    "Set USE_TZ=True.",
    django("USE_TZ"),
)
FAILPOINTS = Rule(
    "site.failpoints",
    "The process dies there on purpose.",
    "Unset EVENTBUS_FAILPOINTS.",
    "CONTRIBUTING.md, Failpoints and the crash sweep",
)
REQUESTS = Rule(
    "site.atomic-requests",
    "A page that calls a provider holds its locks meanwhile, and groups wait for them.",
    "Set ATOMIC_REQUESTS=False: each service has its own transaction.",
    django("ATOMIC_REQUESTS"),
)
HEALTH = Rule(
    "site.connection-health",
    "After a restart of the database the first request of each thread fails.",
    "Set CONN_HEALTH_CHECKS=True where CONN_MAX_AGE is not 0.",
    django("CONN_HEALTH_CHECKS"),
)
RETENTION = Rule(
    "outbox.retention",
    "Outbox and inbox keep every event for as long: the disk fills, and status and replay become slow.",
    "Set EVENTBUS_RETENTION_HOURS to days or weeks, and export what must be kept for longer.",
    "docs/operations.md, What grows, and what prunes it",
)
DISK_FULL = Rule(
    "disk.full",
    "The next write may fail: of SQLite, of a picture, of a key.",
    "Make room there, or name another folder in VAR_DIR.",
    "docs/operations.md, What grows, and what prunes it",
)
DISK_REFUSED = Rule(
    "disk.refused",
    "The site cannot keep what it writes.",
    "Let the site's user write there, or name another folder in VAR_DIR.",
    "docs/reference/settings.md, VAR_DIR",
)
CLOCK = Rule(
    "clock.machines",
    "Timers, retries and retention of one machine come too early or too late, and silent processes seem alive.",
    "Run NTP, for example chrony or systemd-timesyncd, on each machine.",
    "systemd, timesyncd: https://www.freedesktop.org/software/systemd/man/latest/systemd-timesyncd.service.html",
)


def findings(site: Site) -> Found:
    """Yield what the settings of the site endanger."""
    if site.debug and site.public:
        yield DEBUG.found(f"DEBUG is on, and the site answers as {', '.join(site.hosts)}")
    if "*" in site.hosts:
        yield HOSTS.found("ALLOWED_HOSTS has '*'")
    yield from _of_key(site)
    yield from _of_proxy(site)
    if site.public and any(kind in site.mail for kind in SILENT_MAIL):
        yield MAIL.found(f"EMAIL_BACKEND is {site.mail}")
    if not site.time_zones:
        yield TIME.found("USE_TZ is False")
    if site.failpoints:
        yield FAILPOINTS.found(f"EVENTBUS_FAILPOINTS is {', '.join(site.failpoints)}")
    if site.atomic_requests:
        yield REQUESTS.found("ATOMIC_REQUESTS is True")
    if site.keeps_connections and not site.health_checks:
        yield HEALTH.found("CONN_MAX_AGE keeps connections, and CONN_HEALTH_CHECKS is False")
    yield from _of_machines(site)


def _of_key(site: Site) -> Found:
    key = site.secret_key
    if len(key) < KEY_CHARACTERS_MIN or len(set(key)) < KEY_KINDS_MIN:
        yield KEY.found(f"SECRET_KEY has {len(key)} characters of {len(set(key))} kinds")
    elif key.startswith(KEY_MADE_BY_DJANGO):
        yield KEY.found(f"SECRET_KEY begins with {KEY_MADE_BY_DJANGO}, so it lies in a source file")
    elif key in (key + key)[1:-1] or any(word in key.lower() for word in KNOWN_WORDS):
        yield KEY.found("SECRET_KEY repeats itself, or has a word that everybody tries")
    if site.key_kept and site.public:
        yield KEY_KEPT.found("SECRET_KEY was made at the first start, and the site is public")


def _of_proxy(site: Site) -> Found:
    address = urlsplit(site.url)
    secure, direct = address.scheme == "https", bool(address.port and address.port >= PORT_OF_A_SERVER)
    if site.proxy_header and (direct or address.hostname in LOOPBACK):
        yield PROXY.found(f"X-Forwarded headers are trusted, and people reach the server itself at {site.url}")
    if secure and site.redirects and not site.proxy_header:
        yield NO_PROXY.found(f"Pages redirect to HTTPS, and no proxy is trusted in front of {site.url}")
    if site.public and not (secure and site.secure_cookies):
        yield COOKIES.found(f"Secure cookies are {'on' if site.secure_cookies else 'off'}, SITE_URL is {site.url}")


def _of_machines(site: Site) -> Found:
    if site.retention > RETENTION_MAX:
        yield RETENTION.found(f"EVENTBUS_RETENTION_HOURS is {site.retention // timedelta(hours=1)}")
    for folder in site.folders:
        if folder.refused:
            yield DISK_REFUSED.found(f"{folder.path}: {folder.refused}")
        elif folder.free < FREE_BYTES_MIN:
            yield DISK_FULL.found(f"The disk of {folder.path} has {folder.free // 2**20} MiB free")
    for host, ahead in site.ahead.items():
        if ahead > AHEAD_MAX:
            yield CLOCK.found(f"The clock of {host} is {ahead.total_seconds():.0f} s ahead of this machine's")
