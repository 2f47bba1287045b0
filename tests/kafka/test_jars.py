"""What a machine lacks is said in the words of who has to install it, and what was fetched is not fetched again."""

import re
from pathlib import Path

import pytest

from tests.kafka import KafkaMissing, jars, temporary_broker

INSTALL = re.escape("Debian: apt install default-jre-headless maven")
JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""
MAKES_FOLDER = """for argument; do case "$argument" in -DoutputDirectory=*) /bin/mkdir "${argument#*=}";; esac; done"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it: the folder is its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setattr(jars, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return programs


def test_without_java_one_is_told_what_to_install(machine: Path) -> None:
    with pytest.raises(KafkaMissing, match=f"Java 17 or later, and here is none.*{INSTALL}"), temporary_broker():
        pass


def test_an_old_java_is_named(machine: Path) -> None:
    put(machine, "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")

    with pytest.raises(KafkaMissing, match=f'Java 17 or later.*java says: openjdk version "11.0.2".*{INSTALL}'):
        jars.find_java()


def test_java_home_comes_before_the_path(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(machine, "java", """echo 'java version "1.8.0_202"' >&2""")
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    put(home / "bin", "java", JAVA_17)
    monkeypatch.setenv("JAVA_HOME", str(home))

    assert jars.find_java() == str(home / "bin" / "java")


def test_without_maven_one_is_told_what_to_install(machine: Path) -> None:
    put(machine, "java", JAVA_17)

    with pytest.raises(KafkaMissing, match=f"Maven.*{INSTALL}"), temporary_broker():
        pass


def test_what_maven_complains_of_is_handed_on_and_half_a_download_is_not_taken_for_a_whole(machine: Path) -> None:
    put(machine, "mvn", f"{MAKES_FOLDER}; echo '[ERROR] Unknown host'; exit 1")

    for _ in range(2):
        with pytest.raises(KafkaMissing, match="could not fetch Kafka: .*Unknown host"):
            jars.fetch_jars()


def test_the_jars_are_fetched_once_and_need_no_maven_then(machine: Path) -> None:
    maven = put(machine, "mvn", MAKES_FOLDER)

    folder = jars.fetch_jars()
    maven.unlink()

    assert folder.is_dir()
    assert jars.fetch_jars() == folder


def test_another_version_is_fetched_anew_and_the_old_one_goes(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(machine, "mvn", MAKES_FOLDER)
    old = jars.fetch_jars()
    pom = tmp_path / "pom.xml"
    pom.write_text(jars.POM.read_text().replace(jars.version(), "5.0.0"))
    monkeypatch.setattr(jars, "POM", pom)

    new = jars.fetch_jars()

    assert (old.exists(), new.exists()) == (False, True)


def put(folder: Path, name: str, script: str) -> Path:
    """A program of that name."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
