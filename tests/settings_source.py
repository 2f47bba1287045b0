"""What mcommerce/settings.py asks of the environment, read from its source."""

import ast
from pathlib import Path
from typing import NamedTuple

SOURCE = (Path(__file__).resolve().parent.parent / "mcommerce" / "settings.py").read_text()


class Setting(NamedTuple):
    """One call `env.kind("NAME", default, validate=...)`."""

    kind: str
    default: ast.expr
    choices: list[str]


def settings_in(source: str) -> dict[str, Setting]:
    """The settings that the source reads, by name; the last call counts."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) == 2]
    found = {}
    for call in calls:
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name("env"), attr=kind), args=[ast.Constant(str(name)), default]
            ):
                found[name] = Setting(kind, default, _choices(call, tree))
    return found


def _choices(call: ast.Call, tree: ast.Module) -> list[str]:
    """The values of `validate.OneOf(...)`, whose list may have a name."""
    checks = [one.value for one in call.keywords if one.arg == "validate" and "OneOf" in ast.unparse(one.value)]
    given = [one for check in checks for one in ast.walk(check)]
    names = {one.id for one in given if isinstance(one, ast.Name)}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) in names:
            values = statement.value.keys if isinstance(statement.value, ast.Dict) else [statement.value]
            given += [one for value in values if value for one in ast.walk(value)]
    return [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
