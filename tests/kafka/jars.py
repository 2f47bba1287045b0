"""The broker's jars, fetched once by Maven, and the Java that runs them."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
POM = Path(__file__).with_name("pom.xml")
CACHE = ROOT / ".kafka"  # not in git; `make clean` takes it away
JAVA_MIN = 17  # what Kafka's brokers are compiled for since 4.0
JAVA_SECONDS = 30  # to say its version; more is a machine in trouble
FETCH_SECONDS = 900  # 45 MB, and half as much for Maven's own plugins, through a slow line
REMEDY = "Debian: apt install default-jre-headless maven"


class KafkaMissing(Exception):
    """No broker can be started on this machine; says why, and what to install."""


def version() -> str:
    """Of Apache Kafka, as the pom has it."""
    found = ElementTree.parse(POM).getroot().findtext(".//{*}kafka.version")
    assert found, f"{POM.name} names no version of Kafka"
    return found


def find_java() -> str:
    """A Java that is new enough: JAVA_HOME's, or the PATH's. Raises KafkaMissing."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if java is None:
        place = "JAVA_HOME has" if home else "here is"
        raise KafkaMissing(f"Kafka needs Java {JAVA_MIN} or later, and {place} none ({REMEDY})")
    said = _version_of(java)
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < JAVA_MIN:
        what = said.partition("\n")[0] or "nothing"
        raise KafkaMissing(f"Kafka needs Java {JAVA_MIN} or later, and {java} says: {what} ({REMEDY})")
    return java


@cache
def _version_of(java: str) -> str:
    return subprocess.run([java, "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS).stderr


def class_archive() -> Path:
    """Where the classes that a broker loads may be kept, ready for use by this Java. Raises KafkaMissing."""
    java = sha256(_version_of(find_java()).encode()).hexdigest()[:12]
    return fetch_jars() / f"classes-{java}.jsa"


def fetch_jars() -> Path:
    """The folder with the jars that the pom names. The first call asks Maven. Raises KafkaMissing."""
    folder = CACHE / f"jars-{sha256(POM.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        with one_at_a_time():
            if not folder.exists():
                _fetch(folder)
    return folder


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Of all test runs on this checkout one is here: it makes what the others wait for."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path) -> None:
    part = CACHE / "part"  # renamed when it is whole
    for old in (part, *CACHE.glob("jars-*")):
        shutil.rmtree(old, ignore_errors=True)
    _ask_maven(part)
    part.rename(folder)


def _ask_maven(target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaMissing(f"Maven, which fetches Kafka, is not installed ({REMEDY})")
    command = [maven, "--batch-mode", "--quiet", "--no-transfer-progress", "--strict-checksums", f"--file={POM}"]
    command += ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise KafkaMissing(f"Maven could not fetch Kafka within {FETCH_SECONDS} seconds") from None
    if done.returncode:
        first = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr[-500:])
        raise KafkaMissing(f"Maven could not fetch Kafka: {first}")
