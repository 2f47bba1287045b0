"""A condition on rows whose columns have one of many values. It is one parameter for any number of them.

A condition for each value would be an expression that SQLite refuses from a thousand values on.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import BooleanField, F, Func


class IsAmong(Func):
    """True for the rows in which these columns together have one of these lists of texts."""

    output_field = BooleanField()

    def __init__(self, columns: Sequence[str], wanted: Iterable[Sequence[str]]) -> None:
        self._width, self._wanted = len(columns), [tuple(row) for row in wanted]
        super().__init__(*map(F, columns))

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        fields = ", ".join(f"json_extract(value, '$[{number}]')" for number in range(self._width))
        return f"{self._columns(compiler)} IN (SELECT {fields} FROM json_each(%s))", (json.dumps(self._wanted),)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        lists = tuple([row[number] for row in self._wanted] for number in range(self._width))
        arrays = ", ".join(["%s::text[]"] * self._width)
        return f"{self._columns(compiler)} IN (SELECT * FROM unnest({arrays}))", lists

    def _columns(self, compiler: Any) -> str:
        return f"({', '.join(compiler.compile(column)[0] for column in self.get_source_expressions())})"
