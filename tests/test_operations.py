"""The settings that the operations page tells of are the ones that are read, with the values they really have."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text()
SETTINGS = ast.parse((ROOT / "mcommerce" / "settings.py").read_text())
TOLD = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", PAGE, re.MULTILINE))


def test_every_setting_that_is_read_is_told_and_no_other() -> None:
    assert set(TOLD) == set(defaults())


def test_the_values_told_are_the_ones_taken() -> None:
    literal = {
        name: str(default.value) or '""' for name, default in defaults().items() if isinstance(default, ast.Constant)
    }
    kept = {name for name, told in TOLD.items() if told == "made and kept in `VAR_DIR`"}

    wrong = {name: TOLD[name] for name in literal.keys() - kept if TOLD[name] != f"`{literal[name]}`"}
    assert wrong == {}
    assert {literal[name] for name in kept} == {'""'}


def defaults() -> dict[str, ast.expr]:
    """What settings.py asks of the environment: `env.kind("NAME", default)`."""
    calls = [node for node in ast.walk(SETTINGS) if isinstance(node, ast.Call) and len(node.args) == 2]
    asked = [call for call in calls if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "env"]
    return {call.args[0].value: call.args[1] for call in asked if isinstance(call.args[0], ast.Constant)}
