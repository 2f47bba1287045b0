"""The prose of docs and docstrings: sentences that are read once, and first lines that say what a thing does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("mcommerce", "stations", "outside", "eventbus")
WORDS_MAX = 30  # of a sentence in the docs
RIDDLE = re.compile(r"(what|who|whom|whose|whether|how|which|where)\b", re.IGNORECASE)
FOR_WHOM = ("This page is for", "Cette page est pour")
NOT_OURS = ("CHANGELOG.md",)  # a list of changes


def test_no_docstring_begins_with_a_question() -> None:
    found = [f"{path}: {line}" for path, line in docstrings() if RIDDLE.match(line)]

    assert found == [], "say what it does or returns: a verb, or a noun"


def test_no_sentence_of_the_docs_is_too_long() -> None:
    found = [f"{path.relative_to(ROOT)}: {one}" for path in pages() for one in too_long(path.read_text())]

    assert found == [], f"at most {WORDS_MAX} words a sentence"


def test_each_page_says_first_for_whom_it_is() -> None:
    found = [path for path in pages() if path.is_relative_to(ROOT / "docs") and path.parent.name != "decisions"]
    first = {path: path.read_text()[:400] for path in found}
    silent = [path.name for path, text in first.items() if not any(one in text for one in FOR_WHOM)]

    assert silent == []


def test_a_french_page_has_the_sections_and_links_of_the_english_one() -> None:
    for french in (ROOT / "docs/fr").glob("*.md"):
        here, there = french.read_text(), (ROOT / "docs" / french.name).read_text()
        assert re.findall(r"^## .*", here, re.MULTILINE) == re.findall(r"^## .*", there, re.MULTILINE)
        assert links(here, "../") == links(there, "fr/")


def links(text: str, away: str) -> list[str]:
    """The pages to which a page leads, without the way between the languages, and without the order."""
    found = re.findall(r"\]\(([^)]+)\)", text)
    return sorted(one.removeprefix(away) for one in found)


def test_what_breaks_a_rule_is_found() -> None:
    assert RIDDLE.match("How far a group is.") and not RIDDLE.match("However, the offset.")
    assert too_long("word " * 31 + ".") and not too_long("word " * 15 + ". " + "Word " * 15 + ".")


# --- how it is found out -------------------------------------------------------------------------------------------


def docstrings() -> Iterator[tuple[str, str]]:
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    yield str(path.relative_to(ROOT)), (ast.get_docstring(node) or "").partition("\n")[0]


def pages() -> Iterator[Path]:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        if path.name not in NOT_OURS:
            yield path


def too_long(text: str) -> list[str]:
    """Its sentences of more than WORDS_MAX words, outside of code and headings. A cell of a table ends its sentence."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z*`\[])|\n\s*\n|\n\s*(?:[-*]|\d+\.)\s|(?<!\\)\|", text)
    return [" ".join(one.split()) for one in sentences if len(one.split()) > WORDS_MAX]
