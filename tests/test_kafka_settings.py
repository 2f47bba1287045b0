"""A site that is told wrongly how to reach Kafka does not start, and is told all that is wrong."""

from pathlib import Path

import pytest

from tests.test_settings import DEPLOYED, python

KAFKA = {"EVENTBUS_BACKEND": "kafka", "KAFKA_BOOTSTRAP_SERVERS": "broker.example:9092"}
SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_MECHANISM": "PLAIN",
    "KAFKA_SASL_USERNAME": "site",
    "KAFKA_SASL_PASSWORD": "open sesame",
}
CLIENTS = "from django.conf import settings; print(sorted(settings.EVENTBUS['OPTIONS']['clients'].items()))"
MADE = f"{CLIENTS}; from eventbus import backends; backends.current()._make_producer()"
CHECK = "from django.core.management import call_command; call_command('check')"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"KAFKA_BOOTSTRAP_SERVERS": ""}, ["KAFKA_BOOTSTRAP_SERVERS"]),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, ["KAFKA_SECURITY_PROTOCOL"]),
        ({"KAFKA_GROUP_PROTOCOL": "newest"}, ["KAFKA_GROUP_PROTOCOL"]),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, ["KAFKA_SASL_MECHANISM"]),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN"},
            ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"],
        ),
        (
            {
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
                "KAFKA_SASL_USERNAME": "shop",
            },
            ["KAFKA_SASL_PASSWORD"],
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"},
            ["KAFKA_OAUTH_TOKEN_URL", "KAFKA_OAUTH_CLIENT_ID", "KAFKA_OAUTH_CLIENT_SECRET"],
        ),
        ({"KAFKA_SASL_MECHANISM": "PLAIN"}, ["KAFKA_SECURITY_PROTOCOL=SASL_SSL"]),
        ({"KAFKA_SSL_CA_FILE": "nowhere.pem", "KAFKA_SSL_KEY_FILE": "lost.key"}, ["nowhere.pem", "lost.key"]),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, environment: dict[str, str], named: list[str]) -> None:
    refused = python(tmp_path, "", **KAFKA | environment)

    assert refused.returncode
    for name in named:
        assert name in refused.stderr


def test_a_setting_that_would_break_a_promise_is_refused_with_its_reason(tmp_path: Path) -> None:
    refused = python(tmp_path, CHECK, **KAFKA, KAFKA_CLIENT_SETTINGS="acks=1,compression.type=zstd")

    assert refused.returncode
    assert "acks=1 (an acknowledged event must survive the loss of a broker): leave it out" in refused.stderr
    assert "compression.type" not in refused.stderr


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ("compresion.type=zstd", 'No such configuration property: "compresion.type"'),
        (
            "compression.type=none,fetch.wait.max.ms=soon",
            'Invalid value for configuration property "fetch.wait.max.ms"',
        ),
    ],
)
def test_a_setting_that_kafkas_client_does_not_take_is_told_at_start(tmp_path: Path, chosen: str, why: str) -> None:
    refused = python(tmp_path, CHECK, **KAFKA, KAFKA_CLIENT_SETTINGS=chosen)

    assert refused.returncode
    assert f"Kafka's client refuses its settings: {why}. See KAFKA_CLIENT_SETTINGS" in refused.stderr


def test_what_the_environment_says_reaches_the_clients(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    told = python(
        tmp_path,
        CLIENTS,
        **KAFKA,
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_MECHANISM="PLAIN",
        KAFKA_SASL_USERNAME="shop",
        KAFKA_SASL_PASSWORD="secret",
        KAFKA_SSL_CA_FILE=str(authority),
        KAFKA_GROUP_INSTANCE_ID="worker-1",
        KAFKA_CLIENT_SETTINGS="compression.type=zstd",
    )

    assert told.stdout.strip() == str(
        [
            ("compression.type", "zstd"),
            ("group.instance.id", "worker-1"),
            ("group.protocol", "classic"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.password", "secret"),
            ("sasl.username", "shop"),
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", str(authority)),
        ]
    ), told.stderr


@pytest.mark.parametrize(
    ("environment", "reaches"),
    [
        (
            {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": "shop", "KAFKA_SASL_PASSWORD": "secret"},
            {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "shop", "sasl.password": "secret"},
        ),
        (
            {
                "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
                "KAFKA_OAUTH_TOKEN_URL": "https://login.example/token",
                "KAFKA_OAUTH_CLIENT_ID": "shop",
                "KAFKA_OAUTH_CLIENT_SECRET": "secret",
                "KAFKA_OAUTH_SCOPE": "kafka",
            },
            {
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": "https://login.example/token",
                "sasl.oauthbearer.client.id": "shop",
                "sasl.oauthbearer.client.secret": "secret",
                "sasl.oauthbearer.scope": "kafka",
            },
        ),
    ],
    ids=["scram", "oauth"],
)
def test_other_ways_to_say_who_one_is_reach_the_clients_who_know_them(
    tmp_path: Path, environment: dict[str, str], reaches: dict[str, str]
) -> None:
    told = python(tmp_path, MADE, **KAFKA, **environment, KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT")

    said = {"group.protocol": "classic", "security.protocol": "SASL_PLAINTEXT"} | reaches
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == str(sorted(said.items())), told.stderr


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "without TLS or SASL: whoever reaches the brokers reads and writes all events"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "by TLS alone, without SASL or a certificate of ours"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTIFICATE_FILE": __file__}, ""),
        (SASL, ""),
        ({"KAFKA_CLIENT_SETTINGS": "security.protocol=plaintext"}, "without TLS or SASL"),
    ],
    ids=["nothing", "TLS", "TLS with a certificate", "SASL", "by librdkafka's name"],
)
def test_a_deployed_site_whose_brokers_ask_nobody_is_warned(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    code = "from eventbus.checks.declarations import check_authentication; print(*check_authentication())"
    at_home = python(tmp_path, code, **KAFKA, **environment)
    deployed = python(tmp_path, code, **DEPLOYED | KAFKA | environment)

    assert (at_home.stdout.strip(), at_home.returncode, deployed.returncode) == ("", 0, 0), deployed.stderr
    assert ("eventbus.W001" in deployed.stdout, told in deployed.stdout) == (bool(told), True)
    assert "sesame" not in deployed.stdout


def test_a_key_that_could_be_guessed_signs_nothing(tmp_path: Path) -> None:
    refused = python(tmp_path, "", EVENTBUS_SIGNING_KEYS=f"{'x' * 32},sesame")
    taken = python(tmp_path, "", EVENTBUS_SIGNING_KEYS=f"{'x' * 32}, {'y' * 32}")

    assert "EVENTBUS_SIGNING_KEYS has a key of less than 32 characters" in refused.stderr
    assert "sesame" not in refused.stderr
    assert taken.returncode == 0, taken.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        {"KAFKA_SASL_MECHANISM": "PLIAN"},
        {"KAFKA_SASL_USERNAME": ""},
        {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"},
        {"KAFKA_CLIENT_SETTINGS": "sasl.pasword=x"},
        {"KAFKA_CLIENT_SETTINGS": "acks=1"},
        {"KAFKA_BOOTSTRAP_SERVERS": ""},
    ],
    ids=lambda wrong: "".join(wrong.values()) or "empty",
)
def test_no_complaint_repeats_a_password(tmp_path: Path, wrong: dict[str, str]) -> None:
    refused = python(tmp_path, CHECK, **KAFKA | SASL | wrong)

    assert refused.returncode
    assert "sesame" not in refused.stderr + refused.stdout
