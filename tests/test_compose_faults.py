"""`compose.yaml` confines each service: what it must not do, each rule as the sentence that names who breaks it."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.test_compose import COMPOSE, SERVICES

Service = dict[str, Any]
Services = dict[str, Service]

CAPABILITIES = {"proxy": ["NET_BIND_SERVICE"]}  # all that anybody has
SITE = {"setup", "pages", "live", "relay", "handle", "poll"}
# Who knows which secret. Whoever is not named here could lose nothing of it.
KNOWN_TO = {
    "SECRET_KEY": SITE,
    "SECRET_KEY_FALLBACKS": SITE,
    "EVENTBUS_SIGNING_KEYS": SITE,
    "SANDBOX_PROVIDER_KEY": SITE | {"sandbox"},
    "SANDBOX_WEBHOOK_SECRET": SITE | {"sandbox"},
    "SANDBOX_WEBHOOK_SECRET_FALLBACKS": SITE,
    "POSTGRES_PASSWORD": SITE | {"postgres"},
    "KAFKA_SITE_PASSWORD": {"pages", "live", "handle", "poll", "kafka"},
    "KAFKA_RELAY_PASSWORD": {"relay", "kafka"},
    "KAFKA_ADMIN_PASSWORD": {"setup", "acls", "kafka"},
    "JCDECAUX_API_KEY": SITE,
    "HEALTH_TOKEN": SITE,
    "METRICS_TOKEN": SITE,
    "EVENTBUS_NOTIFY_SECRET": SITE,
    "EMAIL_URL": SITE,
}
HIDDEN_FROM_THE_PROXY = ("kafka", "postgres")
HOSTS_OWN = ("privileged", "devices", "pid", "ipc", "userns_mode", "cgroup_parent")


def faults(compose: dict[str, Any]) -> list[str]:
    """All of them, sorted."""
    services: Services = compose["services"]
    found = [*_contained(services), *_lasting(services), *_volumes(compose), *_secrets(services), *_networks(compose)]
    return sorted({*found, *_kafka(services)})


def _contained(services: Services) -> Iterator[str]:
    """What a process could do to its container, to others and to the machine."""
    for name, service in services.items():
        if service.get("read_only") is not True:
            yield f"{name}: its root can be written"
        if service.get("cap_drop") != ["ALL"] or service.get("cap_add", []) != CAPABILITIES.get(name, []):
            yield f"{name}: it has capabilities"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: it can become root again"
        if not re.fullmatch(r"\d+[mg]", str(service.get("mem_limit", ""))):
            yield f"{name}: it can take all memory"
        if not service.get("pids_limit"):
            yield f"{name}: it can take all processes"
        if any(service.get(key) for key in HOSTS_OWN) or service.get("network_mode") == "host":
            yield f"{name}: it has something of the machine's own"
        for place in service.get("tmpfs", []):
            if "size=" not in place:
                yield f"{name}: what it writes at {place} can take all memory"


def _lasting(services: Services) -> Iterator[str]:
    """Who starts again, says how it is, and fills no disk with that."""
    once = {
        name
        for service in services.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    for name, service in services.items():
        options = service.get("logging", {}).get("options", {})
        if not {"max-size", "max-file"} <= options.keys():
            yield f"{name}: its log grows for ever"
        if service.get("restart") != ("no" if name in once else "unless-stopped"):
            yield f"{name}: it restarts when it should not, or does not when it should"
        asked = " ".join(map(str, service.get("healthcheck", {}).get("test", [])))
        if re.search(r"\bjava\b|kafka-[\w-]+\.sh|kafka-run-class", asked):
            yield f"{name}: its health check starts a JVM each time"
        if service.get("image") != "mcommerce" and name not in once and not asked:
            yield f"{name}: nobody asks how it is"


def _volumes(compose: dict[str, Any]) -> Iterator[str]:
    """Each has one owner; a file of the machine's is only read."""
    owners = defaultdict(set)
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if not source.startswith((".", "/")):
                owners[source].add(name)
            elif not rest.endswith(":ro"):
                yield f"{name}: it may write {source}"
    for volume, who in owners.items():
        if len(who) > 1:
            yield f"volume {volume}: shared by {' and '.join(sorted(who))}"
    for volume in compose["volumes"].keys() - owners.keys():
        yield f"volume {volume}: nobody's"


def _secrets(services: Services) -> Iterator[str]:
    for name, service in services.items():
        told = service.get("environment", {})
        text = " ".join(
            [*map(str, told.values()), str(service.get("command", "")), str(service.get("healthcheck", ""))]
        )
        known = set(re.findall(r"\$\{(\w+)", text)) | {key for key, value in told.items() if value is None}
        for secret, allowed in KNOWN_TO.items():
            if secret in known and name not in allowed:
                yield f"{name}: it knows {secret}"
        for variable, value in told.items():
            if re.search("PASSWORD|SECRET|KEY|TOKEN", variable) and value is not None and "${" not in str(value):
                yield f"{name}: {variable} stands in the file"


def _networks(compose: dict[str, Any]) -> Iterator[str]:
    services: Services = compose["services"]
    of = {name: set(service.get("networks", {"default"})) for name, service in services.items()}
    for name, service in services.items():
        if "default" in of[name] and not service.get("network_mode"):
            yield f"{name}: it is on the network of all that name none"
        if service.get("ports") and name != "proxy":
            yield f"{name}: it has a door to the world"
        if not all(str(port).startswith("${PUBLISH_ON:-127.0.0.1}:") for port in service.get("ports", [])):
            yield f"{name}: it opens to the world unasked"
    for hidden in HIDDEN_FROM_THE_PROXY:
        for stranger in ("proxy", "sandbox"):
            if of[hidden] & of[stranger]:
                yield f"{stranger}: it reaches {hidden}"
        if not all((compose["networks"].get(network) or {}).get("internal") for network in of[hidden]):
            yield f"{hidden}: it has a way out"


def _kafka(services: Services) -> Iterator[str]:
    told = {name: str(value) for name, value in services["kafka"]["environment"].items()}
    protocols = dict(pair.split(":") for pair in told["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    for listener in told["KAFKA_LISTENERS"].split(","):
        name, _, address = listener.partition("://")
        if not protocols[name].startswith("SASL") and not address.startswith("localhost:"):
            yield f"kafka: at {name} it asks nobody who it is"
    if not told.get("KAFKA_AUTHORIZER_CLASS_NAME"):
        yield "kafka: it lets everybody do everything"
    if told.get("KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND", "false") != "false":
        yield "kafka: what has no rule is open to everybody"
    if told.get("KAFKA_AUTO_CREATE_TOPICS_ENABLE") != "false":
        yield "kafka: it makes topics by chance"
    if not any(re.match(r"/tmp:.*\bexec\b", place) for place in services["kafka"].get("tmpfs", [])):
        yield "kafka: what clients compress it cannot unpack"
    for line in " ".join(services["acls"]["command"]).replace("\\\n", " ").splitlines():
        if re.search(r"--operation (Write|All|Create|Alter|Delete)", line) and "User:site" in line:
            yield "acls: a user but the relay's may write"
        if "User:*" in line:
            yield "acls: somebody without a name may do something"
    for name, service in services.items():
        if "KAFKA_BOOTSTRAP_SERVERS" in service.get("environment", {}):
            told = service["environment"]
            if not str(told.get("KAFKA_SECURITY_PROTOCOL")).startswith("SASL"):
                yield f"{name}: it does not say who it is to Kafka"


def test_it_has_none() -> None:
    assert faults(COMPOSE) == []


PLANTED: dict[str, Callable[[Services], object]] = {
    "pages: its root can be written": lambda all_: all_["pages"].update(read_only=False),
    "live: it has capabilities": lambda all_: all_["live"].update(cap_add=["SYS_ADMIN"]),
    "relay: it has something of the machine's own": lambda all_: all_["relay"].update(network_mode="host"),
    "poll: it can take all memory": lambda all_: all_["poll"].pop("mem_limit"),
    "proxy: it may write ./var": lambda all_: all_["proxy"].update(volumes=["./var:/srv"]),
    "sandbox: it knows SECRET_KEY": lambda all_: all_["sandbox"]["environment"].update(SECRET_KEY=None),
    "handle: A_PASSWORD stands": lambda all_: all_["handle"]["environment"].update(A_PASSWORD="sesame"),
    "proxy: it reaches kafka": lambda all_: all_["kafka"].update(networks=["front", "back"]),
    "postgres: it has a door to the world": lambda all_: all_["postgres"].update(ports=["5432:5432"]),
    "proxy: it opens to the world unasked": lambda all_: all_["proxy"].update(ports=["80:80"]),
    "kafka: at CONTROLLER it asks nobody": lambda all_: all_["kafka"]["environment"].update(
        KAFKA_LISTENERS="CLIENTS://:9092,CONTROLLER://:9093"
    ),
    "acls: somebody without a name may do": lambda all_: all_["acls"].update(
        command=["allow --allow-principal User:* --topic x --operation Read"]
    ),
}


@pytest.mark.parametrize("named", PLANTED)
def test_a_mistake_in_it_is_named(named: str) -> None:
    copy = deepcopy(COMPOSE)

    PLANTED[named](copy["services"])

    assert any(found.startswith(named) for found in faults(copy)), faults(copy)


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_may_become_root_again(service: str) -> None:
    copy = deepcopy(COMPOSE)
    copy["services"][service].pop("security_opt")

    assert f"{service}: it can become root again" in faults(copy)
