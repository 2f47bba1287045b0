"""What compose.yaml tells each service, once its variables have their values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?:(:-|:\?)([^}]*))?\})")
SIZES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Told:
    """A service; `numbers` are its replicas', from 1."""

    name: str
    image: str
    command: list[str]
    entrypoint: list[str] | None
    environment: dict[str, str]
    networks: dict[str, list[str]]  # with what it is called there besides its name
    shares_network_of: str
    tmpfs: list[tuple[str, str]]  # where, and mount's options
    volumes: list[tuple[str, str, bool]]  # what, where, and whether it is only read
    capabilities: list[str]
    memory: int
    processes: int
    health: list[str]
    after: dict[str, str]  # a service, and how it has to be
    replicas: int = 1
    shm: str = "64m"
    raw: dict[str, Any] = field(default_factory=dict)


def services(compose: dict[str, Any], values: Mapping[str, str]) -> dict[str, Told]:
    """Raises KeyError for a variable that has to be set."""
    return {name: _told(name, _filled(service, values), values) for name, service in compose["services"].items()}


def _told(name: str, service: dict[str, Any], values: Mapping[str, str]) -> Told:
    given = service.get("environment", {})
    environment = {key: str(values.get(key, "") if value is None else value) for key, value in given.items()}
    unset = {key for key, value in given.items() if value is None and key not in values}
    networks = service.get("networks", {})
    if isinstance(networks, list):
        networks = dict.fromkeys(networks)
    test = service.get("healthcheck", {}).get("test", [])
    return Told(
        name=name,
        image=service["image"],
        command=list(service.get("command", [])),
        entrypoint=service.get("entrypoint"),
        environment={key: value for key, value in environment.items() if key not in unset},
        networks={network: (more or {}).get("aliases", []) for network, more in networks.items()},
        shares_network_of=service.get("network_mode", "").removeprefix("service:"),
        tmpfs=[(place.partition(":")[0], place.partition(":")[2]) for place in service.get("tmpfs", [])],
        volumes=[_volume(volume) for volume in service.get("volumes", [])],
        capabilities=[one.lower() for one in service.get("cap_add", [])],
        memory=int(service["mem_limit"][:-1]) * SIZES[service["mem_limit"][-1]],
        processes=service["pids_limit"],
        health=test[1:],
        after={one: how["condition"] for one, how in service.get("depends_on", {}).items()},
        replicas=service.get("deploy", {}).get("replicas", 1),
        shm=service.get("shm_size", "64m").removesuffix("b"),
        raw=service,
    )


def _volume(text: str) -> tuple[str, str, bool]:
    source, place, *rest = text.split(":")
    return source, place, rest == ["ro"]


def _filled(told: Any, values: Mapping[str, str]) -> Any:
    """With the values for `${NAME}`, `${NAME:-else}` and `${NAME:?why}`, and a dollar for two."""
    if isinstance(told, dict):
        return {key: _filled(value, values) for key, value in told.items()}
    if isinstance(told, list):
        return [_filled(value, values) for value in told]
    if not isinstance(told, str):
        return told

    def value(found: re.Match[str]) -> str:
        name, how, other = found.groups()
        if name is None:
            return "$"
        if how == ":?" and not values.get(name):
            raise KeyError(f"{name}: {other}")
        return values.get(name) or (other or "" if how == ":-" else "")

    return VARIABLE.sub(value, told)
