"""No engine is at hand in every test run, so what Docker is asked for is read, not run."""

import re
from pathlib import Path

import pytest

from tests.kafka.docker import commands, engine_answers
from tests.kafka.jars import version
from tests.kafka.test_jars import put


def test_brokers_in_docker_are_reached_from_this_machine_alone() -> None:
    published = [option for option in options(9092, 9093, 9094) if option.startswith("--publish=")]

    assert published == [f"--publish=127.0.0.1:{port}:9092" for port in (9092, 9093, 9094)]


def test_each_broker_in_docker_tells_clients_the_port_that_they_reach_it_by() -> None:
    told = [re.search("HOST://([^,]+)", option) for option in options(9092, 9093, 9094) if "ADVERTISED" in option]

    assert [found and found[1] for found in told] == ["127.0.0.1:9092", "127.0.0.1:9093", "127.0.0.1:9094"]


def test_each_broker_in_docker_finds_the_others_by_their_names() -> None:
    said = options(9092, 9093, 9094)
    names = [option.partition("=")[2] for option in said if option.startswith("--hostname=")]

    quorum = ",".join(f"{number}@{name}:9093" for number, name in enumerate(names, start=1))
    assert said.count(f"--env=KAFKA_CONTROLLER_QUORUM_VOTERS={quorum}") == 3
    assert [f"PLAINTEXT://{name}:19092" in " ".join(said) for name in names] == [True] * 3


def test_the_image_is_of_the_version_that_the_jars_have() -> None:
    assert [command[-1] for command in commands([9092])] == [f"apache/kafka:{version()}"]


@pytest.mark.parametrize(("script", "answers"), [("exit 0", True), ("echo 'Cannot connect' >&2; exit 1", False)])
def test_docker_is_taken_only_where_its_engine_answers(
    script: str, answers: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "docker", script)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert engine_answers() is answers


def options(*ports: int) -> list[str]:
    return [option for command in commands(list(ports)) for option in command]
