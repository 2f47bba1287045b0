"""An empty environment is a safe local site; a wrong one is refused, all faults at once, each with its remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRINT = "from django.conf import settings; print(settings.{name})"
DEPLOYED = {
    "ALLOWED_HOSTS": "shop.example",
    "SECRET_KEY": "a-key-of-this-test-that-is-long-enough-to-be-taken-for-a-real-one",
    "SITE_URL": "https://shop.example",
    "SANDBOX_PROVIDER_KEY": "key",
    "SANDBOX_WEBHOOK_SECRET": "secret",
    "EMAIL_URL": "submission://shop:password@mail.example:587",
}

# Settings with which a date, a column or a protocol overflows where they are used, if they are too large
BOUNDED = [
    *("STATIONS_FORECAST_DAYS", "STATIONS_HISTORY_DAYS", "STATIONS_HISTORY_HOURS_DAYS", "STATIONS_POLL_INTERVAL_MS"),
    *("EVENTBUS_PARTITIONS", "KAFKA_REPLICATION", "READY_OUTBOX_SECONDS", "ORDER_PAYMENT_MINUTES"),
]


def python(tmp_path: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that sees this environment and nothing of ours."""
    return subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {code}"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "mcommerce.settings",
            "VAR_DIR": str(tmp_path),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_environment_is_a_closed_local_site_with_a_key_of_its_own(tmp_path: Path) -> None:
    code = "from django.conf import settings as s; print(s.DEBUG, s.DEMO, s.STATIONS_PRODUCER_OPEN, s.ALLOWED_HOSTS)"
    first, second = python(tmp_path, code), python(tmp_path, PRINT.format(name="SECRET_KEY"))

    assert first.stdout.split(" ", 3)[:3] == ["False", "False", "False"], first.stderr
    assert "127.0.0.1" in first.stdout
    assert second.stdout.strip() == (tmp_path / "secret_key").read_text()
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_processes_that_begin_together_have_the_same_keys(tmp_path: Path) -> None:
    code = """
from collections import defaultdict
from multiprocessing import get_context
from mcommerce.settings import VAR_DIR, _kept_secret

new, left_empty = [f"new-{number}" for number in range(40)], [f"empty-{number}" for number in range(40)]
for name in left_empty:
    (VAR_DIR / name).touch()
asked = [name for name in new + left_empty for process in range(8)]
read = defaultdict(set)
with get_context("fork").Pool(8) as processes:
    for name, key in zip(asked, processes.imap(_kept_secret, asked)):
        read[name].add(key)
print(len(read), [keys for keys in read.values() if len(keys) > 1 or "" in keys])
"""
    told = python(tmp_path, code)

    assert told.stdout.splitlines() == ["80 []"], told.stderr
    assert list(tmp_path.glob("*.new")) == []
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_mode & 0o077] == []


def test_what_the_database_url_asks_of_postgresql_goes_before_ours_but_locks_are_let_go_of(tmp_path: Path) -> None:
    url = "postgres://u:p@db/a?connect_timeout=3&sslmode=require&options=-c%20lock_timeout%3D0%20-c%20search_path%3Da"
    code = "from django.conf import settings; o = settings.DATABASES['default']['OPTIONS']; "
    told = python(
        tmp_path,
        code + "print(o['connect_timeout'], o['sslmode'], o['keepalives_idle']); print(o['options'])",
        DATABASE_URL=url,
    )
    first, second = told.stdout.splitlines()

    assert first == "3 require 10", told.stderr
    assert second.startswith("-c lock_timeout=0 -c search_path=a ")
    assert second.endswith("-c idle_in_transaction_session_timeout=10000 -c lock_timeout=8000")


@pytest.mark.parametrize("server", ["asgi", "wsgi"])
def test_a_web_process_that_would_break_the_buss_promises_does_not_start(tmp_path: Path, server: str) -> None:
    kafka = {"EVENTBUS_BACKEND": "kafka", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "RUN_BUS_IN_SERVER": "0"}

    told = python(tmp_path, f"import mcommerce.{server}", **kafka, KAFKA_CLIENT_SETTINGS="acks=1")

    assert told.returncode != 0
    assert "acks=1 (an acknowledged event must survive the loss of a broker): leave it out" in told.stderr


@pytest.mark.parametrize(("host", "local"), [("shop.localhost", "True"), ("localhost.example", "False")])
def test_names_that_only_lead_to_this_machine_make_no_deployed_site(tmp_path: Path, host: str, local: str) -> None:
    told = python(tmp_path, PRINT.format(name="LOCAL"), **DEPLOYED | {"ALLOWED_HOSTS": host})

    assert told.stdout.strip() == local, told.stderr


def test_a_deployed_site_that_does_not_say_its_secrets_is_told_of_all_of_them_at_once(tmp_path: Path) -> None:
    refused = python(tmp_path, "", ALLOWED_HOSTS="shop.example")

    assert refused.returncode
    for name in DEPLOYED.keys() - {"ALLOWED_HOSTS"}:
        assert name in refused.stderr
    assert "secrets.token_urlsafe" in refused.stderr


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"DEBUG": "maybe"}, "DEBUG"),
        ({"DEMO": "1"} | DEPLOYED, "unset DEMO"),
        ({"DEBUG": "1"} | DEPLOYED, "unset DEBUG"),
        ({"EVENTBUS_BACKEND": "pigeons"}, "EVENTBUS_BACKEND"),
        ({"KAFKA_CLIENT_SETTINGS": "acks"}, "KAFKA_CLIENT_SETTINGS: Write name=value"),
        ({"EVENTBUS_RETENTION_HOURS": "0"}, "EVENTBUS_RETENTION_HOURS"),
        ({"EVENTBUS_LAG_EVENTS_MAX": "0"}, "EVENTBUS_LAG_EVENTS_MAX"),
        ({"EVENTBUS_LAG_SECONDS_MAX": "five minutes"}, "EVENTBUS_LAG_SECONDS_MAX"),
        ({"EVENTBUS_RETENTION_HOURS": "a day"}, "EVENTBUS_RETENTION_HOURS"),
        ({"ORDER_PAYMENT_MINUTES": "0"}, "ORDER_PAYMENT_MINUTES"),
        ({"STATIONS_FEEDS": "gbfs:https://x.org/a-b,gbfs:https://x.org/a/b"}, "has 2 feeds called 'gbfs:x.org-a-b'"),
        ({"STATIONS_FEEDS": "jcdeco"}, "use simulator, jcdecaux, jcdecaux:<contract>, gbfs:<address> or replay:<file>"),
        ({"SIMULATOR_URL": "127.0.0.1:8002"}, "SIMULATOR_URL"),
        ({"STATIONS_MAP_FILE": "/nowhere/city.pmtiles"}, "which cannot be read: No such file or directory"),
        ({"STATIONS_MAP_FILE": __file__}, "is no PMTiles file of version 3"),
        ({"STATIONS_TILE_URL": "tiles.example/{z}/{x}/{y}.png"}, "write it as https://host/{z}/{x}/{y}.png"),
        ({"STATIONS_TILE_URL": "https://tiles.example/"}, "write it as https://host/{z}/{x}/{y}.png"),
        ({"STATIONS_TILE_URL": "https://{s}.tiles.example/{z}/{x}/{y}.png"}, "write it as https://host/{z}/{x}/{y}"),
        ({"STATIONS_TILE_URL": "https://tiles.example/{z}/{x}/{y}.png"}, "STATIONS_TILE_ATTRIBUTION is not set"),
        ({"DATABASE_URL": "mysql://shop@127.0.0.1/shop"}, "DATABASE_URL is of no kind that the site runs on"),
        ({"DATABASE_URL": "postgres://shop@127.0.0.1/"}, "DATABASE_URL names no database"),
        ({"DATABASE_URL": "sqlite:///"}, "DATABASE_URL names no file"),
        ({"DATABASE_URL": "sqlite:///file::memory:?cache=shared"}, "DATABASE_URL names no file"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3"}, "there is no such folder"),
        ({"EMAIL_URL": "smpt+tls://a@b"}, "EMAIL_URL is of no kind that is known"),
        (
            DEPLOYED | {"EMAIL_URL": ""},
            "EMAIL_URL is not set: a deployed site must say it. Name the mail server: submission:",
        ),
        *[
            (DEPLOYED | {"EMAIL_URL": kept}, "EMAIL_URL is of a kind that leaves mails, and the keys of orders in them")
            for kept in ("console:", "Console:", " console:", "file:///tmp/mails", "memory:")
        ],
        (
            DEPLOYED | {"ALLOWED_HOSTS": "*"},
            "ALLOWED_HOSTS has '*', which lets strangers' names in: name the site's own",
        ),
        ({"ALLOWED_HOSTS": "localhost,*"}, "ALLOWED_HOSTS has '*'"),
        (DEPLOYED | {"ALLOWED_HOSTS": "shop.example, *"}, "ALLOWED_HOSTS has '*'"),
        (DEPLOYED | {"ALLOWED_HOSTS": ".example"}, "ALLOWED_HOSTS has '.example'"),
        ({"DEMO": "1", "ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS has '*'"),
        ({"VAR_DIR": __file__}, "which is no folder"),
        ({"SITE_URL": "shop.example"}, "SITE_URL is 'shop.example': write it as http://host:port"),
        ({"SITE_URL": "https://"}, "SITE_URL is 'https:': write it as http://host:port"),
        ({"SITE_URL": "http://shop.example:port"}, "SITE_URL is 'http://shop.example:port': write it as http://host"),
        *[
            ({"SITE_URL": f"https://{more}"}, "SITE_URL has more than scheme, host and port")
            for more in ("shop.example/shop", "shop.example?a=1", "shop.example/#a", "shop:password@shop.example")
        ],
        ({"EVENTBUS_RETENTION_HOURS": "1000000000000"}, "EVENTBUS_RETENTION_HOURS"),
        ({"READY_OUTBOX_SECONDS": "0"}, "READY_OUTBOX_SECONDS"),
        *[({name: "1000000000"}, f"{name}: Must be greater than or equal to") for name in BOUNDED],
        ({"EVENTBUS_NOTIFY_MAIL": "ada"}, "EVENTBUS_NOTIFY_MAIL has 'ada', which is no address"),
        ({"EVENTBUS_NOTIFY_WEBHOOK": "hooks"}, "EVENTBUS_NOTIFY_WEBHOOK is 'hooks': write it as https://host/path"),
        (
            {"EVENTBUS_NOTIFY_WEBHOOK": "https://hooks.example", "EVENTBUS_NOTIFY_SECRET": "short"},
            "EVENTBUS_NOTIFY_SECRET has fewer than 20 characters, and signs the notices",
        ),
        ({"EVENTBUS_NOTIFY_LANGUAGE": "de"}, "EVENTBUS_NOTIFY_LANGUAGE"),
        (
            {"HEALTH_TOKEN": "short"},
            "HEALTH_TOKEN has fewer than 20 characters, so it can be guessed: Make one: python",
        ),
        (
            {"METRICS_TOKEN": "short"},
            "METRICS_TOKEN has fewer than 20 characters, so it can be guessed: Make one: python",
        ),
        ({"SHOP_CURRENCY": "euro"}, "SHOP_CURRENCY is 'euro': write the ISO 4217 code"),
        ({"SHOP_CURRENCY": "ABC"}, "SHOP_CURRENCY is 'ABC'"),
        ({"SHOP_CURRENCY": "XXX"}, "SHOP_CURRENCY is 'XXX'"),
        ({"EVENTBUS_FAILPOINTS": "append=kill"} | DEPLOYED, "unset it"),
        ({"EVENTBUS_FAILPOINTS": "apend=kill"}, "There is no failpoint"),
    ],
)
def test_a_wrong_value_is_refused_with_its_remedy(tmp_path: Path, environment: dict[str, str], told: str) -> None:
    refused = python(tmp_path, "", **environment)

    assert refused.returncode
    assert told in refused.stderr


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("https://tiles.example/{z}/{x}/{y}.png", ["https://tiles.example"]), ("/tiles/{z}/{x}/{y}.png", [])],
)
def test_tiles_may_lie_at_one_other_site_or_at_ours(tmp_path: Path, address: str, allowed: list[str]) -> None:
    sources = (
        "from django.conf import settings; policy = settings.CONTENT_SECURITY_POLICY['DIRECTIVES'];"
        "print(policy['img-src'], policy['connect-src'])"
    )

    told = python(tmp_path, sources, STATIONS_TILE_URL=address, STATIONS_TILE_ATTRIBUTION="© Somebody")

    assert told.stdout.strip() == f"""{["'self'", "data:", *allowed]} {["'self'", *allowed]}""", told.stderr


def test_a_deployed_site_speaks_only_https_and_keeps_its_cookies_to_it(tmp_path: Path) -> None:
    code = "from django.core.management import call_command; call_command('check', deploy=True, fail_level='WARNING')"

    checked = python(tmp_path, code, **DEPLOYED)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(("environment", "asked"), [({}, "False"), (DEPLOYED, "True")])
def test_staff_of_a_deployed_site_have_a_second_factor(tmp_path: Path, environment: dict[str, str], asked: str) -> None:
    assert python(tmp_path, PRINT.format(name="STAFF_SECOND_FACTOR"), **environment).stdout.strip() == asked


def test_a_probe_is_answered_by_whatever_name_it_asks(tmp_path: Path) -> None:
    code = (
        "from django.test import Client; client = Client(headers={'host': 'localhost'});"
        "print(client.get('/health/live').status_code, client.get('/health/ready').status_code)"
    )

    assert python(tmp_path, code, **DEPLOYED).stdout.split() == ["200", "503"]  # nobody has migrated this one


@pytest.mark.parametrize("demo", ["0", "1"])
def test_what_django_tells_is_told_once(tmp_path: Path, demo: str) -> None:
    code = "import logging; logging.getLogger('django.request').warning('Not found: /nowhere')"

    told = python(tmp_path, code, DEMO=demo).stderr

    assert told.count("Not found: /nowhere") == 1
