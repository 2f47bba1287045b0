"""The fences between packages: for every feature each forbidden import is planted, and refused with its remedy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mcommerce.features import installed
from tests import import_contracts

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("mcommerce", "stations", "outside", "eventbus")
ARROWS, BUS, STATIONS = "arrows", "bus", "shop-and-stations"
KAFKA, FEATURES, ROOMS, CIRCLES = "kafka", "features", "rooms-of-the-bus", "no-circles"


class Plant(NamedTuple):
    """A module that somebody could add, with one import, and the contract that must refuse it."""

    module: str
    imports: str
    contract: str


def features() -> list[str]:
    """The installed features by their dotted names."""
    return sorted(one.name for one in installed.features())


def contracts() -> dict[str, dict[str, Any]]:
    """Import-linter's contracts by id."""
    return {one["id"]: one for one in import_contracts.contracts(ROOT)["contracts"]}


def plants() -> Iterator[Plant]:
    """Every forbidden import of every feature, and those of the bus and of the events."""
    names = features()
    for name in names:
        inside = f"{name}.services.planted_{{}}"
        shop = name != "stations"
        for number, other in enumerate(one for one in names if one != name):
            rule = ARROWS if shop and other != "stations" else BUS if not shop else STATIONS
            yield Plant(inside.format(f"other_{number}"), f"{other}.models", rule)
        yield Plant(inside.format("events"), *(("stations.services", STATIONS) if shop else ("mcommerce.events", BUS)))
        yield Plant(inside.format("kafka"), "confluent_kafka", KAFKA)
        yield Plant(inside.format("settings"), "mcommerce.settings", ARROWS if shop else BUS)
        yield Plant(inside.format("views"), f"{name}.views", FEATURES)
        yield Plant(f"{name}.planted_room", "json", FEATURES)
        yield Plant(f"eventbus.consuming.planted_{name.rsplit('.')[-1]}", f"{name}.models", BUS)
    yield Plant("mcommerce.planted_module", "json", ARROWS)
    yield Plant("eventbus.planted_module", "json", ROOMS)
    yield Plant("eventbus.database.planted", "eventbus.consuming.worker", ROOMS)
    yield Plant("eventbus.consuming.planted_kafka", "confluent_kafka", KAFKA)
    yield Plant("outside.planted", "stations.models", BUS)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the contracts look at."""
    target = tmp_path_factory.mktemp("sources")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "static", "locale")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


@pytest.fixture(scope="module")
def verdict(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report on a copy with every plant in it: the text about each broken contract, by the contract's name."""
    planted = Path(shutil.copytree(tree, tmp_path_factory.mktemp("planted") / "tree"))
    for one in plants():
        file = planted.joinpath(*one.module.split(".")).with_suffix(".py")
        assert file.parent.is_dir(), (
            f"{file.parent.relative_to(planted)} is missing: give the feature a services package"
        )
        file.write_text(f"import {one.imports}\n")
    return sections(ask_contracts(planted)[1])


def test_the_arrows_point_down(tree: Path) -> None:
    code, said = ask_contracts(tree)

    assert code == 0, said


@pytest.mark.parametrize("plant", list(plants()), ids=lambda plant: f"{plant.module}->{plant.imports}")
def test_a_forbidden_import_is_refused_with_its_remedy(plant: Plant, verdict: dict[str, str]) -> None:
    name = contracts()[plant.contract]["name"]
    said = verdict.get(name, "")

    # Import-linter names a module that no layer lists, and otherwise the import.
    expected = [plant.module] if plant.imports == "json" else [plant.module, plant.imports]
    assert any(all(word in line for word in expected) for line in said.splitlines()), said
    assert ": " in name, "the contract's name ends with what to do"


# Lines in modules that are there: a module of their own could not break these rules.
LINES = {
    ("mcommerce/events.py", "mcommerce.orders.models"): ARROWS,
    ("mcommerce/events.py", "stations.events"): STATIONS,
    **{(f"{name.replace('.', '/')}/models.py", f"{name}.services"): FEATURES for name in features()},
}


@pytest.fixture(scope="module")
def verdict_on_lines(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same for a copy with every line of LINES in it."""
    planted = Path(shutil.copytree(tree, tmp_path_factory.mktemp("lines") / "tree"))
    for path, imports in LINES:
        with (planted / path).open("a") as file:
            file.write(f"\nimport {imports}\n")
    with (planted / "mcommerce/payment/services/ledger.py").open("a") as file:
        file.write("\nimport mcommerce.payment.services.refunds\n")
    return sections(ask_contracts(planted)[1])


@pytest.mark.parametrize("line", LINES, ids="->".join)
def test_a_forbidden_line_is_refused(line: tuple[str, str], verdict_on_lines: dict[str, str]) -> None:
    (path, imports), name = line, contracts()[LINES[line]]["name"]
    module = path.removesuffix(".py").replace("/", ".")

    assert any(module in said and imports in said for said in verdict_on_lines.get(name, "").splitlines())


def test_two_modules_that_import_one_another_are_refused(verdict_on_lines: dict[str, str]) -> None:
    assert contracts()[CIRCLES]["name"] in verdict_on_lines


def test_the_contracts_name_every_installed_feature() -> None:
    assert {*import_contracts.features(ROOT), "stations"} == {*features()}


# --- how it is found out -------------------------------------------------------------------------------------------


def ask_contracts(folder: Path) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "tests/import_contracts.py"), "--no-cache"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "1000"}
    )
    return done.returncode, done.stdout + done.stderr


def sections(report: str) -> dict[str, str]:
    """The report's text about each broken contract, by the contract's name."""
    _, _, broken = report.partition("Broken contracts")
    found: dict[str, str] = {}
    name = ""
    lines = broken.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below and set(below) == {"-"}:
            name = line
        elif name:
            found[name] = found.get(name, "") + line + "\n"
    return found
