"""The frames as docs/stations-socket.md writes them: JSON whose values may be left out, named by a word, or chosen.

`{"type":"tick","seq":number,"ids":[ids],"since":{"epoch"}?,"for":"lyon" or "*","reason":{language: text}}`
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

TOKEN = re.compile(r'\s*("[^"]*"|\d+|\.\.\.|\w+|[{}\[\]:,?])')


class Shape(Protocol):
    """A kind of JSON value."""

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        """Sentences about what in the value is not as it is written."""
        ...


@dataclass(frozen=True)
class Anything:
    """A value that the page leaves out, or names by a word."""

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        yield from ()


@dataclass(frozen=True)
class Exactly:
    """A value that the page spells."""

    value: Any

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if value != self.value:
            yield f"{where} is {value!r}, and the page says {self.value!r}"


@dataclass(frozen=True)
class Listed:
    """A list of values of one kind."""

    item: Shape

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for number, one in enumerate(value):
            yield from self.item.misfits(one, f"{where}[{number}]")


@dataclass(frozen=True)
class Mapped:
    """An object with any names."""

    item: Shape

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is no object"
            return
        for name, one in value.items():
            yield from self.item.misfits(one, f"{where}.{name}")


@dataclass(frozen=True)
class Chosen:
    """One of several."""

    choices: tuple[Shape, ...]

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if all(any(one.misfits(value, where)) for one in self.choices):
            yield f"{where} is {value!r}, and none of those that the page names"


@dataclass(frozen=True)
class Members:
    """An object with these names, some of which may be left out."""

    required: dict[str, Shape]
    optional: dict[str, Shape]

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is no object"
            return
        known = self.required | self.optional
        yield from (f"{where} lacks {name}" for name in self.required.keys() - value.keys())
        yield from (f"{where} has {name}, and the page does not say so" for name in value.keys() - known.keys())
        for name in known.keys() & value.keys():
            yield from known[name].misfits(value[name], f"{where}.{name}")


def shape_of(text: str) -> Members:
    """The shape that a page writes. Raises ValueError."""
    tokens = TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise ValueError(f"no shape: {text}")
    found = _Reader(tokens)
    shape = found.value()
    if found.tokens or not isinstance(shape, Members):
        raise ValueError(f"no shape of a frame: {text}")
    return shape


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def value(self) -> Shape:
        choices = [self._one()]
        while self._taken("or"):
            choices.append(self._one())
        return choices[0] if len(choices) == 1 else Chosen(tuple(choices))

    def _one(self) -> Shape:
        token = self.tokens.pop(0)
        if token == "{":
            return self._object()
        if token == "[":
            item = self.value()
            self._expect("]")
            return Listed(item)
        return Exactly(json.loads(token)) if token[0] == '"' or token.isdecimal() else Anything()

    def _object(self) -> Shape:
        members: dict[bool, dict[str, Shape]] = {True: {}, False: {}}
        while True:
            name = self.tokens.pop(0)
            shape = self.value() if self._taken(":") else Anything()
            if name[0] != '"':
                self._expect("}")
                return Mapped(shape)
            members[self._taken("?")][name.strip('"')] = shape
            if self._taken("}"):
                return Members(required=members[False], optional=members[True])
            self._expect(",")

    def _taken(self, token: str) -> bool:
        return self.tokens[:1] == [token] and bool(self.tokens.pop(0))

    def _expect(self, token: str) -> None:
        if not self._taken(token):
            raise ValueError(f"{token} is missing before {self.tokens[:3]}")
