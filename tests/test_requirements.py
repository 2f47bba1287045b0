"""No version is pinned that is known to be vulnerable. A new advisory is a new row; the newest floor counts."""

import re
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\]+)", re.MULTILINE)

# package, first version without the fault, the advisory, what it is to us
FLOORS = [
    ("django", "5.2.8", "CVE-2025-64459", "SQL by names of arguments that a visitor chooses"),
    ("django", "5.2.13", "CVE-2026-3902", "headers of a visitor pass for the proxy's under ASGI"),
    ("django", "5.2.13", "CVE-2026-33033", "an upload that takes the parser for ever"),
    ("django", "5.2.16", "CVE-2026-48588", "pages of one visitor from the cache for another"),
    ("daphne", "4.2.2", "CVE-2026-44545", "messages of any size fill the memory"),
    ("daphne", "4.2.2", "CVE-2026-44546", "headers slipped into a socket's handshake"),
    ("twisted", "24.7.0", "CVE-2024-41671", "answers to pipelined requests change places"),
    ("twisted", "26.4.0", "CVE-2026-42304", "names that are compressed without end"),
    ("autobahn", "20.12.3", "CVE-2020-35678", "headers slipped into a redirect"),
    ("autobahn", "26.10.1", "CVE-2026-116579", "small compressed frames fill the memory"),
    ("confluent-kafka", "2.6.1", "CVE-2024-7264", "libcurl in its wheels reads past its buffer"),
    ("confluent-kafka", "2.16.0", "CVE-2026-45447", "OpenSSL in its wheels"),
    ("pillow", "12.1.1", "CVE-2026-25990", "a picture that writes past its buffer"),
    ("pillow", "12.3.0", "CVE-2026-59200", "pictures that break its memory"),
]


FILES = sorted(path.name for path in ROOT.glob("requirements*.txt"))  # each that somebody installs from


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("package", "floor", "advisory", "fault"), FLOORS)
def test_nothing_is_pinned_below_its_floor(file: str, package: str, floor: str, advisory: str, fault: str) -> None:
    pinned = pins((ROOT / file).read_text())

    assert pinned[package] >= Version(floor), f"{advisory}: {fault}"


def test_every_file_that_is_pinned_is_looked_at() -> None:
    pinned = re.findall(r"--output-file (\S+)", (ROOT / "Makefile").read_text())

    assert sorted(pinned) == FILES


@pytest.mark.parametrize("file", FILES)
def test_the_tools_come_with_the_packages_of_the_site_in_the_same_versions(file: str) -> None:
    """So who installs them beside a running site changes none of its packages."""
    site, tools = (pins((ROOT / name).read_text()) for name in ("requirements.txt", file))

    assert {name: version for name, version in site.items() if tools.get(name, version) != version} == {}


@pytest.mark.parametrize("package", sorted({package for package, *_ in FLOORS}))
def test_what_is_installed_is_what_is_pinned(package: str) -> None:
    """The tests would else speak of other programs than the ones that are delivered."""
    from importlib.metadata import version

    assert Version(version(package)) == pins((ROOT / "requirements-dev.txt").read_text())[package]


def pins(text: str) -> dict[str, Version]:
    return {name.lower(): Version(version) for name, version in PINNED.findall(text)}
