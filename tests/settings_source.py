"""What mcommerce/settings.py asks of the environment, read from its source."""

import ast
import re
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


def read_otherwise(source: str) -> list[str]:
    """The calls that read a setting in another form than `env.kind("NAME", default)`, which `settings_in` misses."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    asked = [one for one in calls if re.fullmatch(r"env(\.\w+)?", ast.unparse(one.func)) or _is_environ(one)]
    return [ast.unparse(one) for one in asked if not _is_plain(one) and not _is_known(one)]


def _is_environ(call: ast.Call) -> bool:
    return ast.unparse(call.func) in {"os.environ.get", "os.getenv", "environ.get", "getenv"}


def _is_plain(call: ast.Call) -> bool:
    form = isinstance(call.func, ast.Attribute) and len(call.args) == 2 and isinstance(call.args[0], ast.Constant)
    return form and not _is_environ(call)


def _is_known(call: ast.Call) -> bool:
    """Of the reader itself, or a look at settings that were read."""
    return (
        ast.unparse(call) in {"os.environ.get(name)", "env.seal()", "env.dump()"}
        or ast.unparse(call.func) == "env.parser_for"
    )


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
