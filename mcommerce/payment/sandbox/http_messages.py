"""A request and its response, independent of sockets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def form(self) -> dict[str, str]:
        """Return the fields of a posted form. A field that comes twice has its first value."""
        return _first_values(self.body.decode("utf-8", "replace"))

    def asked(self) -> dict[str, str]:
        """Return the fields of the query."""
        return _first_values(self.query)


@dataclass(frozen=True)
class Response:
    """An answer. `held`: it is sent after the server's `hold_seconds`. `lost`: the connection closes then instead."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    held: bool = False
    lost: bool = False


def json_response(status: int, value: Any) -> Response:
    return Response(status, json.dumps(value).encode())


def error(status: int, code: str, message: str) -> Response:
    """Return the API's answer to a refused request: {"error": {"code", "message"}}."""
    return json_response(status, {"error": {"code": code, "message": message}})


def _first_values(encoded: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(encoded, keep_blank_values=True, max_num_fields=50).items()}
