"""The code of the page about fragments does what the page says."""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.template.loader import get_template
from django.test import modify_settings

from eventbus import Event
from eventbus.ids import uuid7
from eventbus.testing import published_events
from mcommerce.web.slots import registry

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/how-to/fragment-on-another-page.md"
BLOCKS = re.findall(r"^```(?:python|html)\n(?:# |<!-- )(\S+\.\w+).*?\n(.*?)^```", PAGE.read_text(), re.M | re.S)
[MATCHING] = re.findall(r"^```python\n(@fragment.*?)^```", PAGE.read_text(), re.M | re.S)
EVENTS = "from uuid import UUID\n\nfrom eventbus import Event\n\n\n"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gifts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The page's app, installed, with its table; returns the page's test."""
    files = dict(BLOCKS)
    test = files.pop("tests/mcommerce/gifts/test_slots.py")
    files |= dict.fromkeys(("mcommerce/gifts/__init__.py", "mcommerce/gifts/services/__init__.py"), "")
    files["mcommerce/gifts/events.py"] = EVENTS + files.pop("mcommerce/events.py")
    files["mcommerce/gifts/templates/gifts/order_gift.html"] = files.pop("templates/gifts/order_gift.html")
    for name, text in files.items():
        path = tmp_path / name.removeprefix("mcommerce/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(told_here(text))
    monkeypatch.syspath_prepend(tmp_path)
    with modify_settings(INSTALLED_APPS={"append": "gifts"}):
        model = import_module("gifts.models").Gift
        with connection.schema_editor() as editor:
            editor.create_model(model)
        yield told_here(test)
        with connection.schema_editor() as editor:
            editor.delete_model(model)
    forget_app()


def told_here(text: str) -> str:
    """Code of the page, as it imports from the folder that the test has made."""
    return text.replace("mcommerce.events", "gifts.events").replace("mcommerce.gifts", "gifts")


def forget_app() -> None:
    registry.remove(next(one for one in registry.fragments_of("order") if one.name == "gifts.order_gift"))
    del apps.all_models["gifts"]
    apps.clear_cache()
    # The event stays declared in this process, so its module has to be there for who looks at all events.
    for name in [name for name in sys.modules if name.partition(".")[0] == "gifts" and name != "gifts.events"]:
        del sys.modules[name]


def test_the_pages_example_holds(gifts: str) -> None:
    names: dict[str, Any] = {}
    exec(gifts, names)

    names["test_a_gift_is_shown_on_the_orders_page"]()

    assert names["pytestmark"].name == "django_db"
    assert len(published_events(import_module("gifts.events").GiftWrapped)) == 1
    assert registry.find(names["order_gift"]).updates_on == (import_module("gifts.events").GiftWrapped,)
    assert get_template("gifts/order_gift.html")


class PapersChanged(Event, name="example.papers-changed", topic="examples", key="paper"):
    """An event of the page, whose field names no order."""

    paper: str


def test_the_event_of_the_page_without_an_order_concerns_each_open_page() -> None:
    names = {"__name__": "papers.slots", "fragment": registry.fragment, "PapersChanged": PapersChanged}
    exec(f"{MATCHING}def gift_papers(order_id, request):\n    return {{}}\n", names)
    papers = registry.find(names["gift_papers"])
    registry.remove(papers)

    assert papers.updates_on == (PapersChanged,)
    assert papers.matches and papers.matches(PapersChanged(paper="stars"), uuid7())
    with pytest.raises(ImproperlyConfigured, match="has no field order_id"):
        registry.fragment("order", template=papers.template, updates_on=[PapersChanged])(names["gift_papers"])


def test_the_page_names_every_place() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (no|yes: .*) \|$", PAGE.read_text(), re.M)

    told = {place: tuple(re.findall(r"`(\w+)`", fields)) for place, fields in rows}
    assert told == registry.PLACES
