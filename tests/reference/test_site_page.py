"""Each name that a document tells a module to use stands in the reference, with its parameters and defaults."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from eventbus.events import Event
from tests.permissions import access_needs
from tests.permissions.access_needs import Need
from tests.reference import signatures
from tests.reference.command_lines import BLOCK, INLINE
from tests.reference.tables import ROOT, code, named, page, rows, sections, sources

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


PAGE = page("site")
BELOW = sections(PAGE)
IMPORT = re.compile(r"In Python: `from ([\w.]+) import (\w+)`")
OTHERS = {name: sections(page(name)) for name in ("bus", "testing")}
ERRORS = {code(row["error"]) for name in ("bus", "errors") for row in rows(page(name)) if row.get("raised when")}
EVENTS = set(IMPORT.findall(page("events")))
HEADINGS = {heading for heading in BELOW if " " not in heading}
CONSTANTS = {name: one for name, one in vars(access_needs).items() if isinstance(one, Need)}
TEXTS = pages()
SOURCES = sources()
TAKEN = re.compile(r"(?:declared\(|sockets\(|getattr\((?:config|sender), )\"(\w+)\"")


def test_each_name_that_a_document_uses_is_in_the_reference() -> None:
    assert missing(TEXTS) == []


def test_a_name_that_a_new_sentence_spells_is_found() -> None:
    assert missing({**TEXTS, "docs/new.md": "Call `outside.circuit_breaker.states()`, or `outside.http.Why`."}) == [
        "outside.circuit_breaker.states is used by a document, and is on no page of the reference",
        "outside.http.Why is used by a document, and is on no page of the reference",
    ]


@pytest.mark.parametrize("heading", sorted(HEADINGS))
def test_the_page_and_the_parameters_agree(heading: str) -> None:
    assert list(differences(heading)) == []


def test_the_page_has_every_method_of_what_a_module_makes() -> None:
    assert methods_missing() == []


def test_the_page_has_every_need() -> None:
    assert named(BELOW["Need"], "need").keys() == CONSTANTS.keys()


def test_the_page_has_what_the_site_takes_from_an_app() -> None:
    assert taken_differences(SOURCES.values()) == []


# --- how it is found out -------------------------------------------------------------------------------------------


def taken_differences(texts: Iterable[str]) -> list[str]:
    """Sentences about the attributes of an AppConfig, and the lists of sockets, that only one side has."""
    told = named(PAGE, "attribute").keys() | named(PAGE, "list").keys()
    found = {match for text in texts for match in TAKEN.findall(text)}
    wrong = [f"{name} is on the page, and nothing takes it" for name in told - found]
    return sorted(wrong + [f"{name} is taken from an app, and is not on the page" for name in found - told])


def missing(texts: Mapping[str, str]) -> list[str]:
    """Sentences about the names that the documents use and the reference lacks."""
    made, examples = made_by(texts), example_apps(texts)
    found: list[str] = []
    for dotted in sorted(names_told(texts) - made):
        module, _dot, name = dotted.rpartition(".")
        if name == "*" or ".".join(module.split(".")[:2]) in examples:
            continue
        one = getattr(import_module(module), name, None) if is_module(module) else None
        if one is None:
            found.append(f"{dotted} is used by a document, and is not there")
        elif callable(one) and not is_told(module, name, one):
            found.append(f"{dotted} is used by a document, and is on no page of the reference")
    return found


def is_told(module: str, name: str, one: Any) -> bool:
    if isinstance(one, Need):
        return name in CONSTANTS
    if isinstance(one, type) and issubclass(one, BaseException):
        return name in ERRORS or name in OTHERS["testing"]
    if isinstance(one, type) and issubclass(one, Event) and one is not Event:
        return (module, name) in EVENTS
    return any(name in below for below in OTHERS.values()) or (name in HEADINGS and object_of(name) is one)


def object_of(heading: str) -> Any:
    """What a heading of the page names. The line below it says where it is; a method follows its class."""
    owner, _dot, method = heading.partition(".")
    found = IMPORT.search(BELOW[heading]) or IMPORT.search(BELOW[owner])
    assert found, f"{heading}: the page does not say how to import it"
    assert found[2] == owner, f"{heading}: the page imports {found[2]}"
    one = getattr(import_module(found[1]), owner)
    return getattr(one, method) if method else one


def differences(heading: str) -> Iterator[str]:
    parameters = signatures.parameters_of(object_of(heading))
    yield from signatures.differences(heading, BELOW[heading], parameters, constants=CONSTANTS)


def methods_missing() -> list[str]:
    """The methods of the page's classes that the page lacks. Those of the tests' classes are for the tests."""
    found = [one for heading in HEADINGS if inspect.isclass(one := object_of(heading))]
    ours = [one for one in found if not one.__module__.startswith("tests.")]
    told = [(one.__name__, name) for one in ours for name, value in vars(one).items() if inspect.isfunction(value)]
    return sorted({f"{owner}.{name}" for owner, name in told if not name.startswith("_")} - HEADINGS)
