"""Asks every route of the site, and fills in every form that its pages show, with what nobody should write.

The routes come from the URLconf and the forms from the pages, so a new one is asked as soon as it is there.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from django.contrib.admindocs.views import simplify_regex
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

TEXTS: dict[str, bytes] = {
    "NUL": b"a NUL \0 in the middle",  # long enough for the key of a session
    "lone surrogate": "\ud800".encode("utf-8", "surrogatepass"),
    "over-long": b"x" * 5_000,
    "over-long address": b"x" * 288 + b"@example.com",  # forms allow 320 letters, columns 254
    "huge number": b"9" * 40,
    "below any number": b"-9223372036854775809",
    "no number": b"NaN",
    "no UTF-8": b"\xff\xfe\x80",
    "JSON": b'{"a": [1, null]}',
    "format": b"%s %(x)s {0} %",
    "nothing": b"",
    "only zero-width": "\u200b\u2060\ufeff".encode(),
    "no date": b"9999-99-99",
}
WORST = ("NUL", "lone surrogate", "over-long", "huge number")
FORM = "application/x-www-form-urlencoded"


def _part_in(charset: str) -> tuple[bytes, str]:
    """A form with the fields that most forms have, each with what some codecs make lone surrogates of."""
    names = ("email", "login", "password", "name", "street", "city", "product_id", "language", "next")
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n+2AA- \\ud800\r\n' for name in names]
    return "".join([*parts, "--x--\r\n"]).encode(), f"multipart/form-data; charset={charset}; boundary=x"


BODIES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "application/json"),
    "a list": (b"[]", "application/json"),
    "lone surrogate": (b'{"id": "\\ud800", "type": "\\u0000"}', "application/json"),
    "deep": (b"[" * 50_000, "application/json"),
    "multipart without a boundary": (b"--x", "multipart/form-data"),
    "broken": (b'--x\r\nContent-Disposition: form-data; name="a\0"\r\n\r\n', "multipart/form-data; boundary=x"),
    "unknown encoding": (b"a=b", "application/x-www-form-urlencoded; charset=nothing"),
    **{f"multipart in {charset}": _part_in(charset) for charset in ("hex", "rot13", "zlib", "idna", "undefined")},
    **{f"surrogates in {charset}": _part_in(charset) for charset in ("utf-7", "unicode_escape")},
    "many fields": (b"&".join(b"f%d=" % number for number in range(1_500)), "application/x-www-form-urlencoded"),
}


@dataclass
class Form:
    """A form as a page shows it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """The forms of a page, and the names that its links ask by."""

    def __init__(self, path: str, html: str) -> None:
        super().__init__()
        self.path, self.forms, self.asked = path, list[Form](), dict[str, str]()
        self._form: Form | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.asked |= dict(parse_qsl(urlsplit(said.get("href", "")).query, keep_blank_values=True))
        elif tag == "form":
            self._form = Form(
                urljoin(self.path, said.get("action", "")) or self.path, said.get("method", "get").lower()
            )
            self.forms.append(self._form)
        elif tag in {"input", "select", "textarea", "button"} and self._form and said.get("name"):
            self._form.fields.setdefault(said["name"], said.get("value", ""))
            if said.get("type") == "file":
                self._form.files.add(said["name"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


ALWAYS_ASKED = ("page", "q", "next", "contract", "key", "fragment", "removed", "quantity")
ADMIN = "/admin/"


class Fuzzer:
    """One person with a browser. `failures` has a line for each answer of 500 and above, `requests` counts them all.

    `known` gives a value that is there, by route and name of the parameter; `sign_in` lets the browser in. With
    `everything` it tries all texts, in one value at a time as well; else one of the worst in all at once, and one body.
    """

    def __init__(
        self, known: Callable[[str, str], str], sign_in: Callable[[Client], object], *, everything: bool
    ) -> None:
        self.client = Client(raise_request_exception=False)
        self.requests, self.failures = 0, list[str]()
        self._known, self._sign_in, self._everything = known, sign_in, everything

    def ask(self, routes: list[str]) -> None:
        """Every route with known and with bad values; every form and every link's question of the pages that answer."""
        pages: dict[str, Page] = {}
        for route in routes:
            self._sign_in(self.client)
            for path in self._paths(route):
                if page := self._look_at(path):
                    pages[path] = page
            for body, content_type in self._bodies(route):
                self._send("POST", self._plain(route), body, content_type=content_type)
        for path, page in pages.items():
            self._ask_by_query(path, page)
        forms = {
            (form.action, form.method, *sorted(form.fields)): form for page in pages.values() for form in page.forms
        }
        for form in forms.values():
            self._sign_in(self.client)
            self._fill_in(form)

    def _texts(self, path: str) -> list[bytes]:
        """The texts that take the place of all values."""
        return list(TEXTS.values()) if self._everything else [TEXTS[_one_of(WORST, path)]]

    def _worst(self) -> list[bytes]:
        """The texts that take the place of one value beside good ones."""
        return [TEXTS[name] for name in WORST] if self._everything else []

    def _bodies(self, route: str) -> list[tuple[bytes, str]]:
        return list(BODIES.values()) if self._everything else [BODIES[_one_of([*BODIES], route)]]

    def _plain(self, route: str) -> str:
        return "".join(quote(self._known(route, name), safe="") if name else text for text, name in _pieces(route))

    def _paths(self, route: str) -> Iterator[str]:
        yield self._plain(route)
        names = [name for _, name in _pieces(route) if name]
        for bad in names:
            for text in self._texts(route):
                yield "".join(
                    quote(text if name == bad else self._known(route, name), safe="") if name else piece
                    for piece, name in _pieces(route)
                )

    def _look_at(self, path: str) -> Page | None:
        answer = self._send("GET", path)
        if answer.status_code != 200 or "html" not in answer.get("Content-Type", ""):
            return None
        return Page(path, answer.content.decode())

    def _ask_by_query(self, path: str, page: Page) -> None:
        names = dict.fromkeys(ALWAYS_ASKED, "") | page.asked
        for form in page.forms:
            names |= form.fields if form.method == "get" else {}
        for text in self._texts(path):
            self._send("GET", f"{path}?{urlencode(dict.fromkeys(names, text))}")
        for name in names:
            for text in self._worst():
                self._send("GET", f"{path}?{urlencode({**names, name: text})}")

    def _fill_in(self, form: Form) -> None:
        if form.method != "post":
            return
        good = {name: value or PLAUSIBLE.get(name, "1") for name, value in form.fields.items()} | dict.fromkeys(
            form.files, ""
        )
        for text in self._texts(form.action):
            self._send("POST", form.action, {name: _filled(form, name, text) for name in good})
        for name in good:
            for text in self._worst():
                self._send("POST", form.action, {**good, name: _filled(form, name, text)})

    def _send(self, method: str, path: str, body: Any = b"", *, content_type: str = FORM) -> Any:
        cache.clear()  # how often somebody may ask is not the question here
        self.requests += 1
        if isinstance(body, dict):
            with_file = any(isinstance(value, SimpleUploadedFile) for value in body.values())
            content_type = MULTIPART_CONTENT if with_file else FORM
            body = encode_multipart(BOUNDARY, body) if with_file else urlencode(body).encode()
        answer = self.client.generic(method, path, body, content_type=content_type)
        if answer.status_code >= 500 and answer.status_code != 503:
            reason = getattr(answer, "exc_info", None)
            self.failures.append(
                f"{answer.status_code} {method} {path[:200]} {str(body)[:200]}: {reason and reason[1]!r}"
            )
        if not answer.streaming:
            answer.close()
        return answer


PLAUSIBLE = {
    "email": "ada@example.com",
    "login": "ada@example.com",
    "password": "a long enough password",
    "name": "Ada Lovelace",
    "street": "12 rue des Fleurs",
    "postal_code": "69001",
    "city": "Lyon",
    "country": "FR",
    "language": "en",
}


def _one_of(names: Sequence[str], of: str) -> str:
    """Always the same one, and others of others."""
    return names[zlib.crc32(of.encode()) % len(names)]


def _filled(form: Form, name: str, text: bytes) -> Any:
    return SimpleUploadedFile("picture.png", text) if name in form.files else text


def all_routes() -> list[str]:
    """Every route of the site, as "orders/<order_id>/": the names of its parameters in brackets."""
    return ["/" + route for route in _routes(get_resolver().url_patterns)]


def _routes(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for one in patterns:
        route = prefix + _written(one.pattern)
        if isinstance(one, URLResolver):
            yield from _routes(one.url_patterns, route)
        elif isinstance(one, URLPattern):
            yield route


def _written(pattern: Any) -> str:
    if isinstance(pattern, RoutePattern):
        return "".join(f"<{name}>" if name else text for text, name in _pieces(str(pattern)))
    return simplify_regex(str(pattern)).removeprefix("/")


def _pieces(route: str) -> Iterator[tuple[str, str]]:
    """("orders/", "") and ("", "order_id") of "orders/<uuid:order_id>"."""
    for index, piece in enumerate(route.replace(">", "<").split("<")):
        yield ("", piece.rpartition(":")[2]) if index % 2 else (piece, "")
