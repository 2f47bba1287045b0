"""Each fault that could slip into `compose.yaml` is refused by name; the file itself has none."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.compose_rules import HIDDEN_FROM_THE_PROXY, KNOWN_TO, faults
from tests.test_compose import COMPOSE, SERVICES

Services = dict[str, dict[str, Any]]
Plant = Callable[[Services], object]

EVERYBODY: dict[str, tuple[Plant, str]] = {
    "a root that can be written": (lambda one: one.update(read_only=False), "its root can be written"),
    "capabilities": (lambda one: one.pop("cap_drop"), "it has capabilities"),
    "one capability": (lambda one: one.update(cap_add=["SYS_ADMIN"]), "it has capabilities"),
    "new privileges": (lambda one: one.pop("security_opt"), "it can become root again"),
    "no limit of memory": (lambda one: one.pop("mem_limit"), "it can take all memory"),
    "no limit of processes": (lambda one: one.pop("pids_limit"), "it can take all processes"),
    "privileged": (lambda one: one.update(privileged=True), "it has something of the machine's own"),
    "the machine's network": (lambda one: one.update(network_mode="host"), "it has something of the machine's own"),
    "no rotation of logs": (lambda one: one.pop("logging"), "its log grows for ever"),
    "no limit of a log": (lambda one: one.update(logging={"driver": "json-file"}), "its log grows for ever"),
    "another policy": (lambda one: one.update(restart="on-failure"), "it restarts when it should not"),
    "a folder in memory without a limit": (lambda one: one.update(tmpfs=["/tmp"]), "what it writes at /tmp can take"),
    "a health check by a tool of Kafka's": (
        lambda one: one.update(healthcheck={"test": ["CMD", "/opt/kafka/bin/kafka-broker-api-versions.sh"]}),
        "its health check starts a JVM each time",
    ),
    "a folder of the machine's": (lambda one: one.update(volumes=["./var:/srv"]), "it may write ./var"),
    "a password in the file": (
        lambda one: one.setdefault("environment", {}).update(A_PASSWORD="sesame"),
        "A_PASSWORD stands in the file",
    ),
}

ALONE: dict[str, tuple[Plant, str]] = {
    "one volume for the sandbox and the pages": (
        lambda all_: all_["sandbox"].update(volumes=["media:/var/lib/mcommerce"]),
        "volume media: shared by pages and sandbox",
    ),
    "the proxy beside the brokers": (
        lambda all_: all_["proxy"]["networks"].update(back={}),
        "proxy: it reaches kafka",
    ),
    "the brokers beside the proxy": (
        lambda all_: all_["kafka"].update(networks=["front", "back"]),
        "proxy: it reaches kafka",
    ),
    "brokers with a way out": (lambda all_: all_["kafka"].update(networks=["front"]), "kafka: it has a way out"),
    "no networks": (
        lambda all_: [service.pop("networks", None) for service in all_.values()],
        "proxy: it reaches kafka",
    ),
    "a service that names no network": (
        lambda all_: all_["relay"].pop("networks"),
        "relay: it is on the network of all",
    ),
    "a door of the database's": (
        lambda all_: all_["postgres"].update(ports=["5432:5432"]),
        "postgres: it has a door to the world",
    ),
    "a door that is open to all": (
        lambda all_: all_["proxy"].update(ports=["80:80"]),
        "proxy: it opens to the world unasked",
    ),
    "a listener that asks nobody": (
        lambda all_: told(all_, "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        "kafka: at CLIENTS it asks nobody who it is",
    ),
    "a controller that is open to all": (
        lambda all_: told(all_, "KAFKA_LISTENERS", "CLIENTS://:9092,CONTROLLER://:9093"),
        "kafka: at CONTROLLER it asks nobody who it is",
    ),
    "no ACLs": (
        lambda all_: all_["kafka"]["environment"].pop("KAFKA_AUTHORIZER_CLASS_NAME"),
        "kafka: it lets everybody do everything",
    ),
    "ACLs with a hole": (
        lambda all_: told(all_, "KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND", "true"),
        "kafka: what has no rule is open to everybody",
    ),
    "nothing that may run in /tmp": (
        lambda all_: all_["kafka"].update(tmpfs=["/tmp:size=64m,mode=1777"]),
        "kafka: what clients compress it cannot unpack",
    ),
    "topics by chance": (
        lambda all_: told(all_, "KAFKA_AUTO_CREATE_TOPICS_ENABLE", "true"),
        "kafka: it makes topics by chance",
    ),
    "pages that may write": (
        lambda all_: all_["acls"].update(
            command=[all_["acls"]["command"][0] + "allow --allow-principal User:site --topic x --operation Write"]
        ),
        "acls: a user but the relay's may write",
    ),
    "everybody may read": (
        lambda all_: all_["acls"].update(command=["allow --allow-principal User:* --topic x --operation Read"]),
        "acls: somebody without a name may do something",
    ),
    "a role without a user": (
        lambda all_: all_["handle"]["environment"].pop("KAFKA_SECURITY_PROTOCOL"),
        "handle: it does not say who it is to Kafka",
    ),
    "a database that nobody asks": (
        lambda all_: all_["postgres"].pop("healthcheck"),
        "postgres: nobody asks how it is",
    ),
}


def told(services: Services, name: str, value: str) -> None:
    services["kafka"]["environment"][name] = value


@pytest.fixture
def copy() -> dict[str, Any]:
    return deepcopy(COMPOSE)


def test_it_has_none() -> None:
    assert faults(COMPOSE) == []


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("fault", EVERYBODY)
def test_no_service_has_it(copy: dict[str, Any], fault: str, service: str) -> None:
    plant, named = EVERYBODY[fault]
    plant(copy["services"][service])

    assert any(found.startswith(f"{service}: {named}") for found in faults(copy)), faults(copy)


@pytest.mark.parametrize("fault", ALONE)
def test_it_is_refused(copy: dict[str, Any], fault: str) -> None:
    plant, named = ALONE[fault]
    plant(copy["services"])

    assert any(found.startswith(named) for found in faults(copy)), faults(copy)


@pytest.mark.parametrize("secret", KNOWN_TO)
def test_a_secret_that_is_told_to_one_more_is_found(copy: dict[str, Any], secret: str) -> None:
    for name in copy["services"].keys() - KNOWN_TO[secret]:
        for value in (None, f"${{{secret}}}"):
            copy["services"][name]["environment"] = COMPOSE["services"][name]["environment"] | {secret: value}

            assert f"{name}: it knows {secret}" in faults(copy)


def test_a_network_with_a_way_out_is_found(copy: dict[str, Any]) -> None:
    copy["networks"]["back"] = None

    assert {f"{hidden}: it has a way out" for hidden in HIDDEN_FROM_THE_PROXY} <= set(faults(copy))


def test_a_volume_that_nobody_has_is_found(copy: dict[str, Any]) -> None:
    copy["volumes"]["var"] = None

    assert faults(copy) == ["volume var: nobody's"]
