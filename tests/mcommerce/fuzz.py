"""Asks every route of the site, and fills in every form that its pages show, with what nobody should write.

The routes come from the URLconf and the forms from the pages, so a new one is asked as soon as it is there. The admin
has some 170 routes of a few kinds, all Django's own: they are asked less, unless FUZZ_EVERYTHING is set (`make fuzz`).
"""

import os
import zlib
from collections.abc import Callable, Iterator
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
    "broken multipart": (
        b'--x\r\nContent-Disposition: form-data; name="a\0"\r\n\r\n',
        "multipart/form-data; boundary=x",
    ),
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
EVERYTHING = bool(os.environ.get("FUZZ_EVERYTHING"))


class Fuzzer:
    """One person with a browser. `failures` has a line for each answer of 500 and above, `requests` counts them all."""

    def __init__(self, known: Callable[[str, str], str], sign_in: Callable[[Client], None]) -> None:
        """`known` gives a value that is there, by route and name of the parameter; `sign_in` lets a browser in."""
        self.client = Client(raise_request_exception=False)
        self.requests, self.failures = 0, list[str]()
        self._known, self._sign_in = known, sign_in
        self._pages: dict[str, Page] = {}

    def ask_everything(self, routes: list[str]) -> None:
        """Every route with known and with bad values; every form and every link's question of the pages that answer."""
        for route in routes:
            self._sign_in(self.client)
            for path in self._paths(route):
                page = self._look_at(path)
                if page is not None:
                    self._pages[path] = page
            if EVERYTHING or not route.startswith(ADMIN):
                self._send_bodies(self._plain(route))
        for path, page in self._pages.items():
            self._ask_by_query(path, page)
        seen = set()
        for page in self._pages.values():
            for form in page.forms:
                if (key := (form.action, form.method, tuple(sorted(form.fields)))) not in seen:
                    seen.add(key)
                    self._sign_in(self.client)
                    self._fill_in(form)

    def _plain(self, route: str) -> str:
        return "".join(quote(self._known(route, name), safe="") if name else text for text, name in _pieces(route))

    def _paths(self, route: str) -> Iterator[str]:
        yield self._plain(route)
        names = [name for _, name in _pieces(route) if name]
        for bad in names:
            for text in _all_at_once(route):
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
        for text in _all_at_once(path):
            self._send("GET", f"{path}?{urlencode(dict.fromkeys(names, text))}")
        for name in names:
            for text in _one_at_a_time(path, name):
                self._send("GET", f"{path}?{urlencode({**names, name: text})}")

    def _fill_in(self, form: Form) -> None:
        if form.method != "post":
            return
        good = {name: value or PLAUSIBLE.get(name, "1") for name, value in form.fields.items()} | dict.fromkeys(
            form.files, ""
        )
        for text in _all_at_once(form.action):
            self._send("POST", form.action, {name: _filled(form, name, text) for name in good})
        for name in good:
            for text in _one_at_a_time(form.action, name):
                self._send("POST", form.action, {**good, name: _filled(form, name, text)})

    def _send_bodies(self, path: str) -> None:
        for body, content_type in BODIES.values():
            self._send("POST", path, body, content_type=content_type)

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


def _all_at_once(path: str) -> list[bytes]:
    """The texts that take the place of all values; of the admin's routes each has two others."""
    if EVERYTHING or not path.startswith(ADMIN):
        return list(TEXTS.values())
    return [_one_of_the_worst(path), _one_of_the_worst(f"{path} again")]


def _one_at_a_time(path: str, name: str) -> list[bytes]:
    """The texts that take the place of one value beside good ones; another one for each name of the admin's."""
    if EVERYTHING:
        return list(TEXTS.values())
    if path.startswith(ADMIN):
        return [_one_of_the_worst(f"{path} {name}")]
    return [TEXTS[name] for name in WORST]


def _one_of_the_worst(of: str) -> bytes:
    return TEXTS[WORST[zlib.crc32(of.encode()) % len(WORST)]]


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
