"""A page's tables of parameters beside the signatures of functions."""

import ast
import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.reference.tables import Row, code, named

Parameters = Mapping[str, inspect.Parameter]
REQUIRED, MANY = "required", "none"


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Its parameters by name, as a caller sees them: `*events` with its star, and without `self`."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    found = inspect.signature(function).parameters.values()
    made = _made_anew(function)
    known = [one.replace(default=made[one.name]) if one.name in made else one for one in found]
    return {stars.get(one.kind, "") + one.name: one for one in known if one.name != "self"}


def _made_anew(function: Callable[..., Any]) -> dict[str, Any]:
    """The defaults of a dataclass that each object gets of its own, such as an empty list."""
    fields = dataclasses.fields(function) if dataclasses.is_dataclass(function) else ()
    return {one.name: one.default_factory() for one in fields if one.default_factory is not dataclasses.MISSING}


def differences(
    name: str, text: str, parameters: Parameters, *, constants: Mapping[str, object] | None = None
) -> Iterator[str]:
    """Sentences about what the tables below a heading and the parameters say differently.

    `constants`: values that the page calls by their names.
    """
    told = named(text, "parameter")
    yield from (f"{name}: {one} is on the page, and is no parameter" for one in told.keys() - parameters.keys())
    yield from (f"{name}: {one} is a parameter, and is not on the page" for one in parameters.keys() - told.keys())
    for one in told.keys() & parameters.keys():
        yield from _wrong_row(f"{name}({one})", told[one], parameters[one], constants or {})


def _wrong_row(name: str, row: Row, parameter: inspect.Parameter, constants: Mapping[str, object]) -> Iterator[str]:
    if (wanted := type_of(parameter)) != code(row["type"]):
        yield f"{name}: its type is {wanted}, and the page says {row['type']}"
    if parameter.default is inspect.Parameter.empty:
        many = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        if row["default"] != (MANY if many else REQUIRED):
            yield f"{name}: it has no default, and the page says {row['default']}"
    elif not _is(parameter.default, code(row["default"]), constants):
        yield f"{name}: its default is {parameter.default!r}, and the page says {row['default']}"
    if not row["meaning"]:
        yield f"{name}: the page does not say what it is for"


def type_of(parameter: inspect.Parameter) -> str:
    """Its annotation as a reader writes it: without the modules of the names, and without names for types."""
    annotation = parameter.annotation
    if isinstance(annotation, str):
        return annotation
    if typing.get_origin(annotation) is typing.Literal:
        return f"Literal{list(typing.get_args(annotation))}"
    return re.sub(r"~|\b(?:[a-z_]+\.)+", "", inspect.formatannotation(annotation))


def _is(default: object, text: str, constants: Mapping[str, object]) -> bool:
    """Whether the text makes this value; one that is no literal is written by its name, or as it shows itself."""
    if text in constants:
        return constants[text] is default
    try:
        return bool(ast.literal_eval(text) == default)
    except (ValueError, SyntaxError):
        return text == repr(default).removeprefix(f"{type(default).__module__}.")
