"""`docs/terms.md` is true of the code: each name exists, and no word that it refuses is used for a thing of ours."""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/terms.md"
PRODUCT = ("mcommerce", "stations", "outside", "eventbus")
# Where a refused word is right: beginnings of paths.
ALLOWED = {
    "wish": ("docs/adding-a-module.md", "mcommerce/orders/locale/"),  # its example is a wish list; a customer's wish
    "position": ("stations/",),  # on the map
    "place": (  # an order, on the map, in a list, of a handler in its file
        *("mcommerce/", "stations/", "docs/", "CONTRIBUTING.md", "eventbus/checks/"),
    ),
    "desk": (
        "mcommerce/locale/",
        "mcommerce/orders/locale/",
        "mcommerce/products/locale/",
        "mcommerce/accounts/locale/",
    ),
}


def rows(heading: str = "") -> Iterator[list[str]]:
    """The cells of each row of the page's tables; only of one section's, if it is named."""
    text = PAGE.read_text()
    text = text.partition(f"## {heading}\n")[2].partition("\n## ")[0] if heading else text.partition("## Not used")[0]
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith(("| term ", "| word ")):
            yield [cell.strip() for cell in line.strip("|").split("|")]


NAMES = {name: row[0] for row in rows() for name in re.findall(r"`([^`]+)`", row[-1])}
REFUSED = {word.strip(): row[1] for row in rows("Not used") for word in row[0].split(",")}


@pytest.mark.parametrize("name", NAMES)
def test_a_term_names_something_in_the_code(name: str) -> None:
    assert exists(name), f"{NAMES[name]}: {name} is not in the code. Write where it is in docs/terms.md"


def test_every_term_has_a_name_in_the_code() -> None:
    assert [row[0] for row in rows() if not re.search(r"`[\w.]+`", row[-1])] == []


def test_the_page_of_rooms_says_what_each_package_says() -> None:
    told = dict(re.findall(r"^\| `([\w/]+/)` \| (.*) \|$", (ROOT / "docs/rooms.md").read_text(), re.MULTILINE))

    missing = [f"| `{package}` | {line} |" for package, line in rooms() if told.get(package) != line]

    assert missing == [], "write these rows into a table of docs/rooms.md"
    assert told.keys() == dict(rooms()).keys(), "these packages are no more: take their rows out of docs/rooms.md"


@pytest.mark.parametrize("word", REFUSED)
def test_a_refused_word_is_not_used(word: str) -> None:
    assert uses(word, {**definitions(), **prose(), **shown()}, ALLOWED.get(word, ())) == [], (
        f"say {REFUSED[word]}: docs/terms.md"
    )


def test_a_planted_word_is_found() -> None:
    planted = {"eventbus/x.py": ["BrakeRow"], "docs/x.md": ["Events go through a brake, in real-time."]}

    assert uses("brake", planted) == ["eventbus/x.py: BrakeRow", "docs/x.md: brake"]
    assert uses("real-time", planted) == ["docs/x.md: real-time"]
    assert not exists("eventbus.events.Nothing") and not exists("eventbus.nowhere")


# --- how it is found out -------------------------------------------------------------------------------------------


def exists(name: str) -> bool:
    """Whether it is a module, or something in one: a class, a function, an attribute."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            fields = getattr(found, "__struct_fields__", ())
            if part not in fields and not hasattr(found, part):
                return False
            found = getattr(found, part, None)
        return True
    return False


def rooms() -> Iterator[tuple[str, str]]:
    """Each package with the first line of its docstring."""
    for package in PRODUCT:
        for path in (ROOT / package).rglob("__init__.py"):
            if not {"migrations", "management"} & set(path.parts):
                line = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
                yield f"{path.parent.relative_to(ROOT)}/", line


def definitions() -> dict[str, list[str]]:
    """By file: its own name, and the names of the classes, functions and constants that it defines."""
    found = {}
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            names = [path.stem]
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    names.append(node.name)
                elif isinstance(node, ast.Assign | ast.AnnAssign):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    names += [one.id for one in targets if isinstance(one, ast.Name)]
            found[str(path.relative_to(ROOT))] = names
    return found


def prose() -> dict[str, list[str]]:
    """By page: its text without code, links and the names in backticks."""
    found = {}
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        if path.name in ("CHANGELOG.md", "terms.md"):
            continue
        text = re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", " ", path.read_text(), flags=re.S)
        found[str(path.relative_to(ROOT))] = [" ".join(text.split())]
    return found


def shown() -> dict[str, list[str]]:
    """By catalogue: the English texts that visitors and staff see."""
    catalogues = [path for package in PRODUCT for path in (ROOT / package).rglob("locale/fr/LC_MESSAGES/django.po")]
    return {
        str(path.relative_to(ROOT)): [
            text for entry in polib.pofile(str(path)) for text in (entry.msgid, entry.msgid_plural)
        ]
        for path in catalogues
    }


def uses(word: str, texts: Mapping[str, list[str]], allowed: tuple[str, ...] = ()) -> list[str]:
    """Where the word is used, in any of its forms; of a page only the word is named."""
    pattern = re.compile(rf"(?<![a-z]){re.escape(word)}(?:s|es|d|ed)?(?![a-z])", re.IGNORECASE)
    found = []
    for path, lines in texts.items():
        if path.startswith(allowed):
            continue
        for line in lines:
            spaced = line if path.endswith(".md") else re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", line)
            if pattern.search(spaced):
                found.append(f"{path}: {word if path.endswith('.md') else line}")
    return found
