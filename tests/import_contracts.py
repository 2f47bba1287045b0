"""Asks import-linter whether the imports keep to the contracts in pyproject.toml: `make lint-arrows`.

There `{features}` stands for the apps of the shop, so that nobody has to keep a list of them. They are read from the
text of INSTALLED_APPS: this works too while the code cannot be imported.
"""

import ast
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SETTINGS = "mcommerce/settings.py"
EVERY = "{features}"
PARTS = ("urls", "handlers")  # a feature has one of them


def main(arguments: list[str]) -> int:
    """Ask about the sources in this folder; other arguments are import-linter's."""
    with tempfile.TemporaryDirectory() as folder:
        filled = Path(folder) / "contracts.toml"
        filled.write_text("\n".join(lines(contracts(Path()))))
        lint = Path(sys.executable).with_name("lint-imports")
        return subprocess.run([lint, filled, *arguments], check=False).returncode


def contracts(root: Path) -> dict[str, Any]:
    """Import-linter's part of pyproject.toml, with the features in it."""
    told: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    names = features(root)
    for contract in told["contracts"]:
        for key, listed in contract.items():
            if isinstance(listed, list):
                contract[key] = [one for entry in listed for one in _filled(entry, key, names)]
    return told


def _filled(entry: str, key: str, names: list[str]) -> list[str]:
    """The entry of a list, once for each feature if it names them all; in layers they stand beside one another."""
    if EVERY not in entry:
        return [entry]
    if key == "layers":
        return [" | ".join(name.partition(".")[2] for name in names)]
    return [entry.replace(EVERY, name) for name in names]


def features(root: Path) -> list[str]:
    """The installed apps of the shop that have pages or handlers."""
    [listed] = [
        ast.literal_eval(node.value)
        for node in ast.parse((root / SETTINGS).read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INSTALLED_APPS"
    ]
    ours = [name for name in listed if name.startswith("mcommerce.")]
    return [name for name in ours if any((root / name.replace(".", "/") / f"{one}.py").exists() for one in PARTS)]


def lines(told: dict[str, Any]) -> Iterator[str]:
    """The same as TOML, whose texts and lists are written as those of JSON."""
    yield "[tool.importlinter]"
    yield from (f"{key} = {json.dumps(value)}" for key, value in told.items() if key != "contracts")
    for contract in told["contracts"]:
        yield "[[tool.importlinter.contracts]]"
        yield from (f"{key} = {json.dumps(value)}" for key, value in contract.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
