"""The containers cannot be started here; what `compose.yaml` says must at least be true of this tree."""

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import BaseCommand, get_commands, load_command_class

from stations.simulator.server import PORT as SIMULATOR_PORT
from tests.kafka.docker import IMAGE
from tests.settings_source import SOURCE, settings_in
from tests.test_image import DOCKERFILE

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES: dict[str, list[str]] = runpy.run_path(str(ROOT / "docker-entrypoint"))["ROLES"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == COMPOSE["x-site"]["image"]}
NOT_SETTINGS = {"WEB_CONCURRENCY", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}  # of gunicorn and OpenTelemetry
# Settings that its containers do not take from outside, by reason.
NOT_PASSED = {
    "not for a deployed site": {"DEBUG", "DEMO", "EVENTBUS_FAILPOINTS", "PAYMENT_PROVIDER"},
    "the image sets it": {"DRAIN_SECONDS", "EVENTBUS_LIVENESS_FILE", "VAR_DIR"},
    "one value for each process": {"KAFKA_GROUP_INSTANCE_ID"},
    "a volume or a container belongs to it": {"STATIONS_MAP_FILE", "SIMULATOR_URL"},
    "for other brokers than those of compose.yaml": {
        *("KAFKA_CLIENT_SETTINGS", "KAFKA_GROUP_PROTOCOL", "KAFKA_OAUTH_CLIENT_ID", "KAFKA_OAUTH_CLIENT_SECRET"),
        *("KAFKA_OAUTH_SCOPE", "KAFKA_OAUTH_TOKEN_URL", "KAFKA_SSL_CA_FILE", "KAFKA_SSL_CERTIFICATE_FILE"),
        *("KAFKA_SSL_KEY_FILE", "KAFKA_SSL_KEY_PASSWORD"),
    },
}
STAND_INS = {"sandbox", "simulator"}
# Only compose.yaml reads them.
NOT_THE_SITES = {
    *("PUBLISH_ON", "POSTGRES_PASSWORD", "PAGES", "LIVE"),
    *("KAFKA_ADMIN_PASSWORD", "KAFKA_RELAY_PASSWORD", "KAFKA_SITE_PASSWORD"),
}
ONCE = {"setup", "acls"}
MANUAL = (ROOT / "docs/operations.md").read_text()
[SECRETS] = re.findall(r"```sh\n(umask 077\n.*?)```", MANUAL, re.DOTALL)
[REPLACING] = re.findall(r"```sh\n(docker compose build\n.*?)```", MANUAL, re.DOTALL)
DOCKER = {  # the options of `docker compose` that the manual uses, as Docker's reference has them
    "build": set[str](),
    "run": {"--rm"},
    "up": {"--build", "--detach", "--no-deps", "--no-recreate", "--wait"},
}
HELP_SECONDS = 60  # Django starting on a loaded machine


def commands() -> list[list[str]]:
    """What the containers of our image run, as words after `python`."""
    found = []
    for service in OURS.values():
        if service.get("entrypoint") == ["sh", "-c"]:
            parts = service["command"][0].split(" && ")
            assert all(part.startswith("python ") for part in parts)
            found += [part.split()[1:] for part in parts]
        else:
            role, *rest = service["command"]
            found.append([*ROLES[role][1:], *rest] if ROLES[role][0] == "python" else ["-m", *ROLES[role], *rest])
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_exists_and_takes_its_options(command: list[str]) -> None:
    if command[0] == "manage.py":
        found = get_commands()[command[1]]
        loaded = found if isinstance(found, BaseCommand) else load_command_class(found, command[1])
        loaded.create_parser("manage.py", command[1]).parse_args(command[2:])  # raises CommandError
        return
    asked = subprocess.run(
        [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=HELP_SECONDS
    )
    assert asked.returncode == 0, asked.stderr
    for option in [word.partition("=")[0] for word in command if word.startswith("--")]:
        assert re.search(rf"{option}\b", asked.stdout), f"{command} has no {option}"


def test_every_role_that_has_a_process_of_its_own_is_played() -> None:
    played = {service["command"][0] for service in OURS.values()}

    assert {"pages", "live", "relay", "handle", "poll"} <= played
    assert set(ROLES) - {"all"} <= played | {"healthy"}


def test_what_the_site_is_told_is_what_its_settings_read() -> None:
    told = {name for service in OURS.values() for name in service["environment"]}

    assert told - NOT_SETTINGS <= set(settings_in(SOURCE))


def test_every_setting_reaches_the_containers() -> None:
    assert dropped(SOURCE) == set(), "write its name into `environment` of x-site in compose.yaml"
    assert dropped(SOURCE + '\nREPLY_TO = env.str("WISHES_REPLY_TO", "")\n') == {"WISHES_REPLY_TO"}


def dropped(source: str) -> set[str]:
    """The settings that this source reads, and that no container is given."""
    return set(settings_in(source)) - set(COMPOSE["x-site"]["environment"]) - set().union(*NOT_PASSED.values())


def test_what_compose_takes_from_outside_is_known_by_its_name() -> None:
    taken = set(re.findall(r"\$\{([A-Z_]+)", TEXT))

    assert taken <= set(settings_in(SOURCE)) | NOT_SETTINGS | NOT_THE_SITES


def test_a_server_runs_nothing_of_the_others_and_all_speak_to_the_same_bus() -> None:
    for service in (service for name, service in OURS.items() if name not in STAND_INS):
        environment = service["environment"]
        assert (environment["RUN_BUS_IN_SERVER"], environment["EVENTBUS_BACKEND"]) == ("0", "kafka")
        assert "@postgres/" in environment["DATABASE_URL"]


def test_everything_waits_for_the_setup_and_the_setup_for_what_it_needs() -> None:
    waits = {name: service["depends_on"] for name, service in OURS.items() if name not in {"setup", *STAND_INS}}

    assert all(one == {"setup": {"condition": "service_completed_successfully"}} for one in waits.values())
    assert {name: one["condition"] for name, one in SERVICES["setup"]["depends_on"].items()} == {
        "postgres": "service_healthy",
        "kafka": "service_healthy",
        "acls": "service_completed_successfully",
    }


def test_stand_ins_are_looked_for_at_the_doors_they_have() -> None:
    doors = {name: SERVICES[name]["healthcheck"]["test"][1:] for name in ("sandbox", "simulator")}

    assert doors["sandbox"][:-1] == doors["simulator"][:-1] == ["python", "docker-entrypoint", "healthy"]
    assert SERVICES["sandbox"]["command"][-1] == f"--port={doors['sandbox'][-1]}"
    assert doors["simulator"][-1] == str(SIMULATOR_PORT)
    assert {name for name, service in OURS.items() if service["command"][0] == "manage"} == set(doors)


def test_what_must_outlive_a_container_lies_in_a_volume() -> None:
    mounted = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}

    assert set(COMPOSE["volumes"]) == {name for name in mounted if not name.startswith("./")}
    assert all((ROOT / name).is_file() for name in mounted if name.startswith("./"))
    media = SERVICES["pages"]["volumes"][0].partition(":")[2]
    assert f"VAR_DIR={media.removesuffix('/media')} " in DOCKERFILE
    assert media in DOCKERFILE, "a volume begins with what the image has there, its owner above all"
    assert SERVICES["sandbox"]["volumes"] == [f"sandbox:{media.removesuffix('/media')}"]


def test_roles_write_as_the_user_of_the_image() -> None:
    user = re.search(r"--uid (\d+)", DOCKERFILE)
    places = [place for service in OURS.values() for place in service["tmpfs"] if place.startswith("/var/lib")]

    assert user and places
    assert all(f"uid={user[1]}," in place for place in places)


def test_the_proxy_leads_sockets_to_live_and_the_rest_to_pages_at_the_doors_they_have() -> None:
    proxy = (ROOT / "Caddyfile").read_text()
    led = re.findall(r"handle (?:(@\w+) )?\{\s+reverse_proxy \{\$(\w+):([^}]+)\}", proxy)
    replicas = {role: [f"{COMPOSE['name']}-{role}-{number}:8000" for number in (1, 2)] for role in ("pages", "live")}

    assert [(which, role) for which, role, _ in led] == [("@sockets", "LIVE"), ("@reads", "PAGES"), ("", "PAGES")]
    assert "@sockets path /ws/*" in proxy
    for _, role, found in led:
        assert found.split() == replicas[role.lower()]
        assert len(found.split()) == SERVICES[role.lower()]["deploy"]["replicas"]
        assert SERVICES["proxy"]["environment"][role] == f"${{{role}:-{found}}}"
    assert f"sandbox:{dict(word.split('=') for word in SERVICES['sandbox']['command'][2:])['--port']}" in proxy
    assert set(re.findall(r"\{\$([A-Z_]+)[:}]", proxy)) == set(SERVICES["proxy"]["environment"])
    assert "EXPOSE 8000" in DOCKERFILE


def test_what_the_proxy_logs_has_no_key_of_an_order() -> None:
    proxy = (ROOT / "Caddyfile").read_text()

    assert re.search(r"request>uri query \{\s+replace key REDACTED\s+\}", proxy)
    assert "request>headers>Referer delete" in proxy


def test_the_manual_draws_each_secret_that_it_asks_for(tmp_path: Path) -> None:
    subprocess.run(["sh", "-e", "-c", SECRETS], cwd=tmp_path, check=True)

    drawn = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    assert drawn.keys() == set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert len(set(drawn.values())) == len(drawn)
    assert all(re.fullmatch("[0-9a-f]{48}", secret) for secret in drawn.values()), "letters and digits only"
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_the_manual_replaces_replicas_that_there_are() -> None:
    """Docker is not here. Its words are those of its reference, and tests/test_no_request_lost.py stops replicas."""
    lines = [line.split() for part in REPLACING.splitlines() for line in part.split(" && ")]
    compose = [line[2:] for line in lines if line[:2] == ["docker", "compose"]]
    stopped = [line[1:] for line in lines if line[:2] != ["docker", "compose"]]

    assert [wrong_in_compose(*line) for line in compose] == [""] * 4
    assert stopped == [["stop", "mcommerce-live-1"], ["rm", "mcommerce-live-1"]]
    assert set(re.findall(r"`(mcommerce-\w+-\d+)`", MANUAL)) | {"mcommerce-live-1"} == replicas("live", "pages")
    replaced = {name for action, *words in compose if action == "up" for name in words if name in SERVICES}
    assert replaced | {"setup", "pages"} == OURS.keys() - STAND_INS


def wrong_in_compose(action: str, *words: str) -> str:
    """A complaint about a line of `docker compose`."""
    options = [word for word in words if word.startswith("-")]
    services = [word for word in words if not word.startswith("-")]
    if action not in DOCKER or not set(options) <= DOCKER[action]:
        return f"docker compose {action} {options}: Docker does not know this"
    if not set(services) <= SERVICES.keys():
        return f"{services}: there are no such services"
    return "" if action != "run" or set(services) <= ONCE else f"{services}: these do not end"


def replicas(*names: str) -> set[str]:
    """The containers of these services, as Docker calls them."""
    counts = {name: SERVICES[name].get("deploy", {}).get("replicas", 1) for name in names}
    return {f"{COMPOSE['name']}-{name}-{number}" for name, count in counts.items() for number in range(1, count + 1)}


def test_the_broker_is_the_one_that_the_tests_know() -> None:
    assert SERVICES["kafka"]["image"] == IMAGE
