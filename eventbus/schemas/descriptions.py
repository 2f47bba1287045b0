"""Take the descriptions of events and fields from their docstrings and comments, in words that need no Python."""

import ast
import inspect
import io
import re
import sys
import textwrap
import threading
import tokenize
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from eventbus.events import Event

OF = re.compile(r"\bof `(\w+)`")  # a field's comment names the enumeration of its words
NAMED = re.compile(r"`(\w+)`")
NONE = re.compile(r"\bNone\b")

# CPython 3.11 counts the depth of syntax trees of all threads together, and fails if two threads build one at a time.
_parsing = threading.Lock()
_parsed: WeakKeyDictionary[type, list[tuple[str, str]]] = WeakKeyDictionary()


class _Comment(NamedTuple):
    text: str
    alone: bool  # no code precedes it on its line


def description_of(kind: type) -> str:
    """Return the docstring of an event, or of a struct in it, with a line for each paragraph."""
    text = inspect.cleandoc(kind.__doc__ or "")
    paragraphs = [" ".join(one.split()) for one in text.split("\n\n")]
    return _in_words_of_the_wire("\n".join(paragraphs), kind)


def field_descriptions(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Return the comment of each field by the field's name. Fields without a comment are left out.

    The comment behind a field describes it. A comment above several fields describes those that have none of their own.
    The result is empty for a class without source.
    """
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        if issubclass(one, msgspec.Struct) and one not in (Event, msgspec.Struct):
            found |= {name: _in_words_of_the_wire(text, one) for name, text in _comments_by_field(one)}
    return found


def _comments_by_field(kind: type) -> list[tuple[str, str]]:
    with _parsing:
        if kind not in _parsed:
            _parsed[kind] = list(_comments_of_fields(kind))
        return _parsed[kind]


def _comments_of_fields(kind: type) -> Iterator[tuple[str, str]]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):  # a class that no file has
        return
    comments = _comments(source)
    above, last = "", 0
    for name, begin, end in _fields(source):
        if group := _group_above(comments, begin):
            above = group
        elif _is_gap(source, last, begin):
            above = ""
        own = comments.get(end)
        if text := own.text if own else above:
            yield name, text
        last = end


def _fields(source: str) -> Iterator[tuple[str, int, int]]:
    """Yield each annotated name of a class with its first and last line."""
    lines = (line for one in ast.parse(source).body if isinstance(one, ast.ClassDef) for line in one.body)
    for line in lines:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target.id, line.lineno, line.end_lineno or line.lineno


def _comments(source: str) -> Mapping[int, _Comment]:
    """Return the comments by line."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            found[token.start[0]] = _Comment(token.string.lstrip("# "), token.line.lstrip().startswith("#"))
    return found


def _group_above(comments: Mapping[int, _Comment], line: int) -> str:
    """Return the comment in the lines right above this one."""
    lines: list[str] = []
    while (one := comments.get(line - 1 - len(lines))) and one.alone:
        lines.insert(0, one.text)
    return " ".join(lines)


def _is_gap(source: str, last: int, begin: int) -> bool:
    return any(not line.strip() for line in source.splitlines()[last : begin - 1])


def _in_words_of_the_wire(text: str, kind: type) -> str:
    """Add the words of an enumeration that a text names, and replace the names of event classes by their wire types."""
    names = vars(sys.modules[kind.__module__])

    def wire_type(found: re.Match[str]) -> str:
        one = names.get(found[1])
        if isinstance(one, type) and issubclass(one, Event) and one is not Event:
            return f"`{one.wire_type()}`"
        return found[0]

    words = [_words(names.get(name)) for name in OF.findall(text)]
    return " ".join([NONE.sub("null", NAMED.sub(wire_type, text)), *filter(None, words)])


def _words(found: object) -> str:
    if not (isinstance(found, type) and issubclass(found, Enum)):
        return ""
    return f"(Known words: {', '.join(str(one.value) for one in found)}.)"
