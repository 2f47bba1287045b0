"""Mask what must not be passed on with a recording: keys, tokens and passwords in addresses, headers and bodies."""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

MASK = "***"
SECRETS_MAX = 100  # of one recording: a feed has one or two; a server that invents many must not slow it
SECRET_LENGTH_MIN = 8  # characters; a shorter word may stand in a body by chance, as a part of a name

_WORD = re.compile(r"key|token|secret|passw|pwd|auth|sig|credential|session|jwt|app_?id|client_?id", re.IGNORECASE)
# The beginning of a parameter, and its value. In a body an address stands in JSON: "/" may be "\/", and "&" "\u0026".
_IN_ADDRESS = re.compile(r"[?&;#](?P<name>[^=&;?#]+)="), re.compile(r"[^&#]*")
_IN_BODY = (
    re.compile(r"(?:[?&;#]|\\u0026|\\u003[fF])(?P<name>[^=&;?#\s\"<>\\]{1,80})="),
    re.compile(r"(?:[^&#\s\"<>\\]|\\(?![\"u]))*"),
)
_USER = re.compile(r"(:(?:\\?/){2})[^/?#@\s\"<>\\]{1,300}@")
_MEMBER = re.compile(
    r"(?P<begin>\"(?:api_?key|[a-z_]*token|[a-z_]*secret|password|authorization)\"\s*:\s*\")"
    r"(?P<value>(?:[^\"\\]|\\.)*)",
    re.IGNORECASE,
)


def covered(url: str) -> str:
    """Return the address with its keys, tokens and passwords masked. Masked twice it stays the same."""
    return Mask().text(url)


class Mask:
    """A mask that also knows secrets by their value, and learns those that it meets in addresses."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: dict[str, None] = {}
        for secret in secrets:
            self._learn(secret)

    def text(self, text: str) -> str:
        """Return an address or a header's value, masked."""
        return self._by_value(self._by_name(_USER.sub(rf"\1{MASK}@", text), *_IN_ADDRESS))

    def body(self, body: bytes) -> bytes:
        """Return a body, masked. All of its other bytes stay."""
        text = _MEMBER.sub(self._member, _USER.sub(rf"\1{MASK}@", body.decode("latin-1")))
        return self._by_value(self._by_name(text, *_IN_BODY)).encode("latin-1")

    def _by_value(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def _by_name(self, text: str, parameter: re.Pattern[str], value: re.Pattern[str]) -> str:
        parts, done = [], 0
        for found in parameter.finditer(text):
            if found.start() < done or not _WORD.search(unquote(found["name"])):
                continue
            begin, end = found.end(), value.search(text, found.end()).end()  # type: ignore[union-attr]  # may be empty
            self._learn(text[begin:end])
            parts += [text[done:begin], MASK]
            done = end
        return "".join([*parts, text[done:]])

    def _member(self, found: re.Match[str]) -> str:
        self._learn(found["value"])
        return f"{found['begin']}{MASK}"

    def _learn(self, secret: str) -> None:
        for form in (secret, unquote(secret), quote(secret, safe="")):
            if len(secret) >= SECRET_LENGTH_MIN and len(self._secrets) < SECRETS_MAX:
                self._secrets[form] = None
