"""An operator types `manage.py eventbus doctor` on a real site."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from eventbus import backends, registry
from eventbus.doctor.examination import examine
from eventbus.doctor.facts import Clients, Facts, Site
from eventbus.ids import uuid7
from eventbus.schemas.site_events import site_events
from tests.eventbus.doctor.well import log, postgresql
from tests.eventbus.test_commands import run
from tests.live_site import KEPT_VARIABLES, ROOT, environ

STARTS_SECONDS = 60  # Django on a loaded machine
SECRET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
SAY = """
import django, msgspec
django.setup()
from eventbus.doctor import gathering
from django.conf import settings
options = settings.DATABASES["default"]["OPTIONS"]["options"]
told = (gathering._site([]), gathering._clients(), options, settings.KAFKA_REPLICATION)
print(msgspec.json.encode(told).decode())
"""


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def local(settings: Any) -> None:
    """The settings of a home site, where the test run has others."""
    settings.ALLOWED_HOSTS = ["localhost"]


def python(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python in the environment of another site."""
    kept = {name: environ[name] for name in KEPT_VARIABLES if name in environ}
    told = {**kept, "DJANGO_SETTINGS_MODULE": "mcommerce.settings", **environment}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=STARTS_SECONDS)


def test_a_home_site_endangers_nothing(tmp_path: Path) -> None:
    done = python("manage.py", "eventbus", "doctor", "--json", environment={"VAR_DIR": str(tmp_path)})

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["findings"] == []
    assert set(json.loads(done.stdout)["unknown"]) == {"lag", "processes"}  # nobody has made the tables yet


def test_the_containers_endanger_nothing(tmp_path: Path) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    of_site = {name: value for name, value in services["pages"]["environment"].items() if value is not None}
    environment = {name: _filled_in(str(value)) for name, value in of_site.items()}
    done = python("-c", SAY, environment={**environment, "VAR_DIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    site, clients, options, copies = msgspec.json.decode(done.stdout, type=tuple[Site, Clients, str, int])
    sessions = dict(re.findall(r"-c (\w+)=(\w+)", options))
    broker = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in services["kafka"]["environment"].items()
    }

    found = Facts(
        site=site,
        clients=clients,
        log=log(brokers=1, replication=copies, broker=broker),
        postgresql=postgresql(**sessions),
    )

    assert examine(found) == []
    assert broker["auto.create.topics.enable"] == "false" and site.retention == timedelta(hours=24)


def _filled_in(value: str) -> str:
    """The value with its defaults, and a long random text for each secret."""
    return re.sub(r"\$\{\w+:(?:-([^}]*)|\?[^}]*)\}", lambda found: found[1] or SECRET, value)


@pytest.mark.usefixtures("local")
def test_a_wrong_setting_is_named_with_its_remedy_and_ends_with_1(settings: Any) -> None:
    settings.SECRET_KEY = "short"

    code, said, complaint = run("eventbus", "doctor")
    told = json.loads(run("eventbus", "doctor", "--json")[1])

    assert code == 1 and complaint.endswith("site.secret-key")
    assert "site.secret-key: SECRET_KEY has 5 characters of 5 kinds" in said and "remedy: Make one" in said
    assert [one["id"] for one in told["findings"] if one["part"] == "site"] == ["site.secret-key"]
    assert told["unknown"] == {} and "short" not in said


def test_a_broker_that_does_not_answer_hides_no_other_setting(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.backends.kafka.brokers.broker_settings.ASK_SECONDS", 0.2)
    settings.DEBUG, settings.ALLOWED_HOSTS = True, ["shop.example"]
    settings.EVENTBUS = {
        **settings.EVENTBUS,
        "BACKEND": "eventbus.backends.kafka.backend.KafkaBackend",
        "OPTIONS": {"servers": "127.0.0.1:1"},
    }

    code, said, complaint = run("eventbus", "doctor")

    assert code == 1 and "site.debug" in complaint
    assert "not seen: brokers: LogUnavailable: Kafka does not give its settings" in said


def test_real_brokers_are_asked(kafka: str, settings: Any) -> None:
    prefix = f"doctor-{uuid7()}."
    settings.EVENTBUS = {
        **settings.EVENTBUS,
        "BACKEND": "eventbus.backends.kafka.backend.KafkaBackend",
        "OPTIONS": {"servers": kafka, "prefix": prefix, "partitions": 2},
    }
    assert "topic.missing" in run("eventbus", "doctor")[2]
    topics = sorted({one.topic for one in site_events().values()} | set(registry.topics()))
    backends.current().provision(topics)

    told = json.loads(run("eventbus", "doctor", "--json")[1])

    assert told["unknown"] == {}
    assert [one["id"] for one in told["findings"] if one["part"] in {"broker", "topic", "producer", "consumer"}] == []
    backends.current().topics.configure(topics[0], {"cleanup.policy": "compact"})
    assert "topic.compacted" in run("eventbus", "doctor")[2]
