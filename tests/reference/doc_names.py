"""The names of the project that the documents tell a module to use."""

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

from tests.reference.command_lines import BLOCK, INLINE
from tests.reference.tables import ROOT

PACKAGES = ("eventbus", "mcommerce", "stations", "outside", "tests")
SPELLED = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
EXAMPLE_APP = re.compile(r"The\s+example\s+is\s+`mcommerce/(\w+)`|manage\.py startapp (\w+)")
FILE_OF_PYTHON = re.compile(r"# (\S+)\.py(?:, at the end)?\n")
# They name the inner parts of the project, and classes that only settings name.
NOT_FOR_MODULES = {"docs/terms.md", "docs/reference/settings.md"}
Pages = Mapping[str, str]


def pages() -> dict[str, str]:
    """Every document for people who write modules, by its path."""
    paths: list[Path] = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    found = {str(path.relative_to(ROOT)): path for path in paths if path.parent.name != "decisions"}
    return {name: path.read_text() for name, path in found.items() if name not in NOT_FOR_MODULES}


def names_told(texts: Pages) -> set[str]:
    """The dotted names that Python blocks import, with those that they use of a module, and those that spans spell."""
    trees = [tree for text in texts.values() for tree in python_blocks(text)]
    found = {name for tree in trees for name in _imported(tree)}
    return found | {name for text in texts.values() for name in _spelled(text)}


def made_by(texts: Pages) -> set[str]:
    """The dotted names that blocks declare. The first line of such a block names its file."""
    found: set[str] = set()
    for text in texts.values():
        for _language, block in BLOCK.findall(text):
            code = textwrap.dedent(block)
            if begin := FILE_OF_PYTHON.match(code):
                module = begin[1].replace("/", ".")
                declared = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
                found |= {f"{module}.{node.name}" for node in declared}
    return found


def example_apps(texts: Pages) -> set[str]:
    """The dotted names of the apps that documents make. A reader may have made one, and installed it."""
    found = {name for text in texts.values() for names in EXAMPLE_APP.findall(text) for name in names if name}
    return {f"mcommerce.{name}" for name in found}


def python_blocks(text: str) -> Iterator[ast.Module]:
    """The blocks of Python in a page. A decorator alone stands for one above a function."""
    for language, block in BLOCK.findall(text):
        if language.partition(" ")[0] == "python":
            code = textwrap.dedent(block)
            yield ast.parse(f"{code}def example(): ..." if code.startswith("@") and "def " not in code else code)


def is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # what should hold it is no package, or is not there
        return False


def _imported(tree: ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES:
            for one in node.names:
                name = f"{node.module}.{one.name}"
                yield from _used_of(name, one.asname or one.name, nodes) if is_module(name) else [name]
        elif isinstance(node, ast.Import):
            ours = [one for one in node.names if one.name.partition(".")[0] in PACKAGES]
            yield from (name for one in ours for name in _used_of(one.name, one.asname or one.name, nodes))


def _used_of(module: str, here: str, nodes: list[ast.AST]) -> Iterator[str]:
    """What a block uses of a module that it knows by the name `here`."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == here:
            yield f"{module}.{node.attr}"


def _spelled(text: str) -> Iterator[str]:
    """The dotted names in spans: what can be called, and what is not there.

    Ids of checks, permissions and topics look the same. They have two parts.
    """
    for span in INLINE.findall(BLOCK.sub("", text)):
        for name in SPELLED.findall(span):
            try:
                told = callable(resolve_name(name)) and is_module(name.rpartition(".")[0])
            except (ImportError, AttributeError):
                told = name.count(".") > 1
            if told:
                yield name
