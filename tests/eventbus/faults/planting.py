"""A fault is a lie told in one place: a function of the bus whose living code says something else for a while."""

import ast
import builtins
import dis
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any


class DoesNotFit(Exception):
    """What a fault would change is not there any more: the fault must be written anew."""


@dataclass(frozen=True)
class Fault:
    """What a wrong bus would do, the code that makes it so, and the cases of the contract that must fail then.

    In the function at `place`, `lie` stands instead of the text `honest`, which is there once; further lines of a lie
    are indented like the first. `also` are more lies of that kind: (place, honest, lie). `fails` names cases without
    their "test_". `only` is the database that can be lied to so, if it is not every one.
    """

    name: str
    place: str
    honest: str
    lie: str
    fails: Sequence[str]
    also: Sequence[tuple[str, str, str]] = ()
    only: str = ""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """While it lasts, the bus lies. Raises DoesNotFit."""
        lies: dict[str, list[tuple[str, str]]] = {}
        for place, honest, lie in [(self.place, self.honest, self.lie), *self.also]:
            lies.setdefault(place, []).append((honest, lie))
        with ExitStack() as told:
            for place, changes in lies.items():
                try:
                    told.enter_context(_told(place, changes))
                except DoesNotFit as error:
                    raise DoesNotFit(f"The fault {self.name!r} must be written anew: {error}") from error
            yield


@contextmanager
def _told(place: str, changes: Sequence[tuple[str, str]]) -> Iterator[None]:
    """The function's own code is exchanged, so that whoever imported it by name is lied to as well."""
    function = _function(place)
    code, text = function.__code__, inspect.getsource(function)
    for honest, lie in changes:
        text = _changed(place, text, honest, lie)
    lied = _compiled(place, text)
    if strange := sorted(set(_globals_of(lied)) - function.__globals__.keys() - vars(builtins).keys()):
        raise DoesNotFit(f"nobody knows {', '.join(strange)} in {place}: any case would catch that")
    function.__code__ = lied
    try:
        yield
    finally:
        function.__code__ = code


def _function(place: str) -> FunctionType:
    try:
        found = pkgutil.resolve_name(place)
    except (ImportError, AttributeError) as error:
        raise DoesNotFit(f"{place} is gone ({error})") from error
    bare: Any = inspect.unwrap(found.fget if isinstance(found, property) else getattr(found, "__func__", found))
    if not isinstance(bare, FunctionType):
        raise DoesNotFit(f"{place} is no function")
    return bare


def _changed(place: str, text: str, honest: str, lie: str) -> str:
    if text.count(honest) != 1:
        raise DoesNotFit(f"{honest!r} is {text.count(honest)} times in {place}")
    line = text[: text.index(honest)].rpartition("\n")[2] + honest
    indentation = line[: len(line) - len(line.lstrip())]
    return text.replace(honest, lie.replace("\n", f"\n{indentation}"))


def _compiled(place: str, text: str) -> CodeType:
    [tree] = ast.parse(textwrap.dedent(text)).body
    assert isinstance(tree, ast.FunctionDef)
    tree.decorator_list = []  # they stay as they are: only the code is exchanged
    module = compile(ast.Module([tree], []), f"<a lie in {place}>", "exec", dont_inherit=True)
    [code] = [one for one in module.co_consts if isinstance(one, CodeType) and one.co_name == tree.name]
    return code


def _globals_of(code: CodeType) -> Iterator[str]:
    """What it asks its module for, and what the functions in it do."""
    yield from (str(step.argval) for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals_of(inner)
