"""Command lines of pages and of the project's own texts, parsed as `manage.py` would parse them."""

import argparse
import ast
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import Any

from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError

from tests.reference.tables import ROOT

ANY = "PLACEHOLDER"  # what the operator puts in: an id, a group
BLOCK = re.compile(r"^ *```(.*)\n((?:.*\n)*?) *```$", re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")
PLACEHOLDER = re.compile(r"^(?:[A-Z]+|\$\w+|\.\.\.)$")
OTHERS_FLAGS = {"--delete"}  # of rsync
COMMAND = re.compile(r"(?<![\w/])manage\.py\s+(?=[a-z])")
END = ".,;:)!?”\"'"  # of a word in a sentence: the command ends with it
SIGNS = ("manage.py", "`eventbus ", "command=")  # of a module with a command line in its texts
Words = list[str]


def wrong_in_page(text: str) -> list[str]:
    """Sentences about each command line of a page that `manage.py` would refuse."""
    found = [words for block in shell_blocks(text) for words in commands_in_shell(block)]
    told = [complaint for words in found if (complaint := refused(words))]
    spans = [" ".join(span.split()) for span in INLINE.findall(BLOCK.sub("", text))]
    return told + [complaint for span in spans for complaint in _wrong_in_span(span)]


def shell_blocks(text: str) -> list[str]:
    """The blocks of a page that people type; some name no language."""
    return [block for language, block in BLOCK.findall(text) if language.partition(" ")[0] in ("", "sh")]


def wrong_in_source(source: str) -> list[str]:
    """Sentences about each command line in the texts of a Python module that `manage.py` would refuse."""
    told: list[str] = []
    if not any(sign in source for sign in SIGNS):
        return told
    for text in _texts(source):
        for span in INLINE.findall(text):
            told += _wrong_in_span(" ".join(span.split()))
        for match in COMMAND.finditer(INLINE.sub("", text)):
            words = _words_of_sentence(INLINE.sub("", text)[match.end() :].split())
            if complaint := refused(words):
                told.append(complaint)
    return told


def refused(words: Words) -> str:
    """The complaint of the command's own parser about these words, or nothing."""
    name, *rest = words
    if name in ("help", ANY) or rest[:1] == [ANY]:
        return ""
    parser = parser_of(name)
    if parser is None:
        return f"manage.py {' '.join(words)}: there is no such command"
    if rest[-1:] == ["--help"] and _is_name(words[:-1]):
        return ""
    try:
        parser.parse_args(rest)
    except CommandError as error:
        return f"manage.py {' '.join(words)}: {error}"
    return ""


@cache
def parser_of(name: str) -> Any:
    """The parser of a command, which raises instead of leaving, and takes no shortened option. None without one."""
    app = get_commands().get(name)
    if app is None:
        return None
    command = load_command_class(app, name) if isinstance(app, str) else app
    parser = command.create_parser("manage.py", name)
    for one in (parser, *_actions(parser).values()):
        one.allow_abbrev = False
        for argument in one._actions:
            if argument.type is not None:
                argument.type = _or_placeholder(argument.type)
    return parser


def _actions(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    choices = [one.choices for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(choices[0]) if choices else {}


def _or_placeholder(kind: Any) -> Any:
    """The argument's own type, and a placeholder as well."""

    def converted(text: str) -> Any:
        return text if text == ANY else kind(text)

    return converted


# --- code ----------------------------------------------------------------------------------------------------------


@cache
def roles() -> dict[str, Words]:
    """The roles of `docker-entrypoint`, each with the command line that it becomes."""
    loader = SourceFileLoader("docker_entrypoint", str(ROOT / "docker-entrypoint"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return {**module.ROLES, "healthy": []}


def commands_in_shell(code: str) -> Iterator[Words]:
    """The words behind each `manage.py`; a role of the image stands for its command."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        try:
            yield from _commands(list(words))
        except ValueError:  # a quoted text over several lines
            continue


def _commands(words: Words) -> Iterator[Words]:
    found: Words | None = None
    for at, word in enumerate(words):
        if word.endswith("manage.py"):
            found = []
        elif at and words[at - 1].endswith("docker-entrypoint"):
            line = roles().get(word, [f"role:{word}"])
            found = line[2:] if line[1:2] == ["manage.py"] else (line[:1] if line[:1] == [f"role:{word}"] else None)
        elif word == "manage" and "docker" in words[:at]:
            found = []
        elif set(word) <= set("();<>|&"):
            if found:
                yield found
            found = None
        elif found is not None:
            found = [*found, ANY if PLACEHOLDER.match(word) else word]
    if found:
        yield found


@cache
def known_flags() -> set[str]:
    """Every option that some command of `manage.py` has."""
    parsers = [parser for name in get_commands() if (parser := parser_of(name))]
    parsers += [one for parser in parsers for one in _actions(parser).values()]
    return {flag for parser in parsers for one in parser._actions for flag in one.option_strings}


def _wrong_in_span(span: str) -> Iterator[str]:
    """A span in backticks: a whole command line, only the name of a command or an action, or only an option."""
    if (flag := re.match(r"--[\w-]+", span)) and flag[0] not in known_flags() | OTHERS_FLAGS:
        yield f"{span}: no command has the option {flag[0]}"
    known = span.split(" ")[0] in get_commands() and " " in span
    line = f"manage.py {span}" if known else span
    for words in commands_in_shell(line):
        complaint = refused(words)
        if complaint and not _is_name(words):
            yield complaint


def _is_name(words: Words) -> bool:
    """Whether this names a command, or an action of one, and no more."""
    parser = parser_of(words[0])
    if parser is None or len(words) > 2:
        return False
    return len(words) == 1 or words[1] in _actions(parser)


# --- sentences -----------------------------------------------------------------------------------------------------


def _texts(source: str) -> Iterator[str]:
    """The texts of a module, with a placeholder for each value. Also what `named` is told to name as an action."""
    tree = ast.parse(source)
    parts = {id(one) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for one in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else f" {ANY} " for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "named":
            given = [one.value for one in node.keywords if one.arg == "command"]
            yield from (f"manage.py eventbus {one.value}" for one in given if isinstance(one, ast.Constant))


def _words_of_sentence(words: Iterable[str]) -> Words:
    """The words of a command in a sentence: options, their values and placeholders, up to the first other word."""
    taken: Words = []
    for word in words:
        bare = word.rstrip(END)
        if taken and not _belongs(bare, taken):
            break
        taken.append(ANY if PLACEHOLDER.match(bare) else bare)
        if bare != word:
            break
    return taken


def _belongs(word: str, taken: Words) -> bool:
    parser = parser_of(taken[0])
    actions = _actions(parser) if parser else {}
    if len(taken) == 1 and actions:
        return True
    if word.startswith("--") or PLACEHOLDER.match(word):
        return True
    options = actions.get(taken[1], parser) if len(taken) > 1 else parser
    last = [one for one in options._actions if taken[-1] in one.option_strings] if options else []
    return bool(last and last[0].nargs != 0)
