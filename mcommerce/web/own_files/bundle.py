"""A script and the modules of its app that it imports, as one module: one file compresses better than thirty.

Each module becomes a function that runs once and returns its exports. It understands the imports and exports that this
project writes, and refuses others. Modules of other folders, and those of others, stay imports.
"""

import posixpath
import re
from collections.abc import Callable

IMPORT = re.compile(r'^import (?:(?P<what>\{[^}]*\}|\w+) from )?"(?P<url>\.[^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (?P<name>\w+))", re.MULTILINE)
LEFT = re.compile(r"^(?:import\b(?!\()|export\b).*", re.MULTILINE)  # the lines that neither of them understands


class NotBundled(ValueError):
    """A module imports or exports in a way that bundling does not know, or modules import one another."""


class Bundle:
    """A script with its modules. `read(name)` returns a source by its static name; `joins(name)` is True for those to
    take in.
    """

    def __init__(self, entry: str, read: Callable[[str], str], joins: Callable[[str], bool]) -> None:
        self._entry, self._read, self._joins = entry, read, joins
        self._variables: dict[str, str] = {}  # of the modules that are taken in, each after those that it imports
        self._outside: dict[str, str] = {}  # address -> variable, of those that stay imports
        self._parts: list[str] = []

    def text(self) -> str:
        """Return the whole script. Raises NotBundled."""
        self._take_in(self._entry, ())
        imports = [f'import * as {variable} from "{address}";\n' for address, variable in self._outside.items()]
        return "".join([*imports, *self._parts])

    def _take_in(self, name: str, above: tuple[str, ...]) -> None:
        """Append a module, after those that it imports."""
        if name in above:
            raise NotBundled(f"{name} imports itself, by way of {above[-1]}: move what both need to a third module")
        source = self._read(name)
        for found in IMPORT.finditer(source):
            url = _joined(name, found["url"])
            if self._joins(url) and url not in self._variables:
                self._take_in(url, (*above, name))
        body = IMPORT.sub(lambda found: self._taken(name, found), source)
        if left := LEFT.search(EXPORT.sub("", body)):
            raise NotBundled(f"{name} has {left[0]!r}: import and export as the other scripts do")
        self._parts.append(body if name == self._entry else self._as_function(name, body))

    def _as_function(self, name: str, body: str) -> str:
        self._variables[name] = f"module_{len(self._variables)}"
        exports = ", ".join(found["name"] for found in EXPORT.finditer(body))
        return f"const {self._variables[name]} = (() => {{\n{EXPORT.sub('', body)}\nreturn {{ {exports} }};\n}})();\n"

    def _taken(self, name: str, found: re.Match[str]) -> str:
        """Return the statement that takes the place of an import."""
        url, what = _joined(name, found["url"]), found["what"]
        variable = self._variables.get(url) or self._import(url)
        if not what:
            return ""
        if "{" not in what:
            return f"const {what} = {variable}.default;\n"
        return f"const {what.replace(' as ', ': ')} = {variable};\n"

    def _import(self, url: str) -> str:
        beside = posixpath.relpath(url, posixpath.dirname(self._entry))
        address = beside if beside.startswith(".") else f"./{beside}"
        return self._outside.setdefault(address, f"outside_{len(self._outside)}")


def _joined(name: str, url: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), url))
