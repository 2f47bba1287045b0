"""Each name that a document tells a module to use stands in the reference, with its parameters and defaults."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

import pytest

from eventbus.events import Event
from mcommerce.features import links
from mcommerce.rate_limits.rate_limit import RateLimit
from tests.permissions import access_needs
from tests.permissions.access_needs import Need
from tests.reference import doc_names, signatures
from tests.reference.error_classes import sources
from tests.reference.tables import code, named, page, rows, sections

PAGE = page("site")
BELOW = sections(PAGE)
IMPORT = re.compile(r"In Python: `from ([\w.]+) import (\w+)`")
OTHERS = {name: sections(page(name)) for name in ("bus", "testing")}
ERRORS = {code(row["error"]) for name in ("bus", "errors") for row in rows(page(name)) if row.get("raised when")}
EVENTS = set(IMPORT.findall(page("events")))
HEADINGS = {heading for heading in BELOW if " " not in heading}
CONSTANTS = {name: one for name, one in vars(access_needs).items() if isinstance(one, Need)}
TEXTS = doc_names.pages()
SOURCES = sources()
TAKEN = re.compile(r"(?:declared\(|sockets\(|getattr\((?:config|sender), )\"(\w+)\"")


def test_each_name_that_a_document_uses_is_in_the_reference() -> None:
    assert missing(TEXTS) == []


@pytest.mark.parametrize(
    "block",
    [
        "from mcommerce.features.installed import features",
        "from mcommerce.rate_limits import visitor_identity as visitors\n\nvisitors.mailbox_of('ada@example.org')",
        "from eventbus import clock\n\nclock.monotonic()",
        "import outside.circuit_breaker\n\noutside.circuit_breaker.states()",
        "from mcommerce.products.forms import ProductForm",
    ],
)
def test_a_name_that_a_new_block_uses_is_found(block: str) -> None:
    [found] = missing({**TEXTS, "docs/how-to/new.md": f"```python\n{block}\n```\n"})

    assert found.endswith("is used by a document, and is on no page of the reference")


def test_a_name_that_a_new_sentence_spells_is_found() -> None:
    assert missing({**TEXTS, "docs/new.md": "Call `outside.circuit_breaker.states()`, or `outside.http.Why`."}) == [
        "outside.circuit_breaker.states is used by a document, and is on no page of the reference",
        "outside.http.Why is used by a document, and is on no page of the reference",
    ]


@pytest.mark.parametrize(
    "dotted",
    [
        "mcommerce.features.links.way_to",
        "mcommerce.features.links.join",  # a page declares a `join`, in another module
        "mcommerce.features.linkz.link_to",
        "mcommerce.orders.linkz.link_to",
        "mcommerce.linkz.link_to",
        "eventbus.clocks.now",
        "eventbus.failures.nothing.x",
    ],
)
def test_a_name_that_is_not_there_is_found(dotted: str) -> None:
    module, _dot, name = dotted.rpartition(".")
    told = [f"{dotted} is used by a document, and is not there"]

    assert missing({**TEXTS, "docs/new.md": f"```python\nfrom {module} import {name}\n```\n"}) == told
    assert missing({**TEXTS, "docs/new.md": f"Call `{dotted}()`."}) == told


@pytest.mark.parametrize("heading", sorted(HEADINGS))
def test_the_page_and_the_parameters_agree(heading: str) -> None:
    assert list(differences(heading)) == []


def test_a_parameter_that_only_one_of_them_has_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def link_to(name: str, *args: object, text: str = "here", title: str = "") -> str:
        return name

    monkeypatch.setattr(links, "link_to", link_to)

    assert sorted(differences("link_to")) == [
        "link_to(text): its default is 'here', and the page says required",
        "link_to(text): its type is str, and the page says `object`",
        "link_to: title is a parameter, and is not on the page",
    ]


def test_the_page_has_every_method_of_what_a_module_makes() -> None:
    assert methods_missing() == []


def test_a_new_method_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RateLimit, "forgive", lambda self: None, raising=False)

    assert methods_missing() == ["RateLimit.forgive"]


def test_the_page_has_every_need() -> None:
    assert named(BELOW["Need"], "need").keys() == CONSTANTS.keys()


def test_the_page_has_what_the_site_takes_from_an_app() -> None:
    assert taken_differences(SOURCES.values()) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('declared("letters")', "letters"),
        ('getattr(config, "letters", ())', "letters"),
        ('sockets("sockets_of_letters")', "sockets_of_letters"),
    ],
)
def test_something_new_that_the_site_takes_from_an_app_is_found(line: str, name: str) -> None:
    assert taken_differences([*SOURCES.values(), line]) == [f"{name} is taken from an app, and is not on the page"]
    assert taken_differences([text for text in SOURCES.values() if '"front_page"' not in text]) == [
        "front_page is on the page, and nothing takes it"
    ]


# --- how it is found out -------------------------------------------------------------------------------------------


def taken_differences(texts: Iterable[str]) -> list[str]:
    """Sentences about the attributes of an AppConfig, and the lists of sockets, that only one side has."""
    told = named(PAGE, "attribute").keys() | named(PAGE, "list").keys()
    found = {match for text in texts for match in TAKEN.findall(text)}
    wrong = [f"{name} is on the page, and nothing takes it" for name in told - found]
    return sorted(wrong + [f"{name} is taken from an app, and is not on the page" for name in found - told])


def missing(texts: Mapping[str, str]) -> list[str]:
    """Sentences about the names that the documents use and the reference lacks."""
    made, examples = doc_names.made_by(texts), doc_names.example_apps(texts)
    found: list[str] = []
    for dotted in sorted(doc_names.names_told(texts) - made):
        module, _dot, name = dotted.rpartition(".")
        if name == "*" or ".".join(module.split(".")[:2]) in examples:
            continue
        one = getattr(import_module(module), name, None) if doc_names.is_module(module) else None
        if one is None:
            found.append(f"{dotted} is used by a document, and is not there")
        elif callable(one) and not is_told(module, name, one):
            found.append(f"{dotted} is used by a document, and is on no page of the reference")
    return found


def is_told(module: str, name: str, one: Any) -> bool:
    if isinstance(one, Need):
        return name in CONSTANTS
    if isinstance(one, type) and issubclass(one, BaseException):
        return name in ERRORS or name in OTHERS["testing"]
    if isinstance(one, type) and issubclass(one, Event) and one is not Event:
        return (module, name) in EVENTS
    return any(name in below for below in OTHERS.values()) or (name in HEADINGS and object_of(name) is one)


def object_of(heading: str) -> Any:
    """What a heading of the page names. The line below it says where it is; a method follows its class."""
    owner, _dot, method = heading.partition(".")
    found = IMPORT.search(BELOW[heading]) or IMPORT.search(BELOW[owner])
    assert found, f"{heading}: the page does not say how to import it"
    assert found[2] == owner, f"{heading}: the page imports {found[2]}"
    one = getattr(import_module(found[1]), owner)
    return getattr(one, method) if method else one


def differences(heading: str) -> Iterator[str]:
    parameters = signatures.parameters_of(object_of(heading))
    yield from signatures.differences(heading, BELOW[heading], parameters, constants=CONSTANTS)


def methods_missing() -> list[str]:
    """The methods of the page's classes that the page lacks. Those of the tests' classes are for the tests."""
    found = [one for heading in HEADINGS if inspect.isclass(one := object_of(heading))]
    ours = [one for one in found if not one.__module__.startswith("tests.")]
    told = [(one.__name__, name) for one in ours for name, value in vars(one).items() if inspect.isfunction(value)]
    return sorted({f"{owner}.{name}" for owner, name in told if not name.startswith("_")} - HEADINGS)
