"""A developer changes an event: what readers of the old shape would not understand is refused, with the remedy."""

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from eventbus import Event
from eventbus.schemas.contract import Contract, breaks, contract_of, differences, merged
from tests.eventbus.test_commands import run
from tests.live_site import ROOT

FILE = ROOT / "docs/reference/contract.json"
KEYWORDS = {"name": "kettle.boiled", "topic": "kettles", "key": "kettle"}
FIELDS = {"kettle": str, "litres": int, "note": (str, "")}


class Part(msgspec.Struct, frozen=True):
    metal: str
    grams: int = 0


class BiggerPart(msgspec.Struct, frozen=True):
    metal: str
    price: int
    grams: int = 0


class Twig(msgspec.Struct):
    below: list["Twig"] = []


class Change(NamedTuple):
    """A change of the event above: its fields and keywords, and a part of the refusal, "" if it is compatible."""

    fields: dict[str, Any]
    keywords: dict[str, Any]
    said: str


CHANGES = {
    "a field that goes": Change({"litres": None}, {}, "the field litres is gone"),
    "another type": Change({"litres": float}, {}, "the type of litres changed"),
    "null from now on": Change({"litres": int | None}, {}, "the type of litres changed"),
    "a new field that old events lack": Change({"degrees": int}, {}, "the new field degrees has no default"),
    "another default": Change({"note": (str, "hot")}, {}, "the default of note changed"),
    "a default that goes": Change({"note": str}, {}, "the default of note changed"),
    "another key": Change({}, {"key": ("kettle", "litres")}, "key was kettle, and is kettle:litres"),
    "another topic": Change({}, {"topic": "pots"}, "topic was kettles, and is pots"),
    "a field of a part that old events lack": Change(
        {"parts": tuple[BiggerPart, ...]}, {}, "the new field parts[].price has no default"
    ),
    "another name": Change({}, {"name": "kettle.cooked"}, "kettle.boiled.v1 is gone"),
    "a new field with a default": Change({"degrees": (int, 100)}, {}, ""),
    "a new version that reads the old one": Change({"litres": float}, {"version": 2, "upcasts": {1: dict}}, ""),
    "a new version that does not": Change({"litres": float}, {"version": 2}, "kettle.boiled.v1 is gone"),
}


def event(fields: dict[str, Any] | None = None, keywords: dict[str, Any] | None = None) -> Contract:
    """The contract of an event with these changes."""
    told = {"parts": tuple[Part, ...]} | FIELDS | (fields or {})
    chosen = {name: kind for name, kind in told.items() if kind is not None}
    annotations = {name: kind[0] if isinstance(kind, tuple) else kind for name, kind in chosen.items()}
    defaults = {name: kind[1] for name, kind in chosen.items() if isinstance(kind, tuple)}
    body = {"__annotations__": annotations, **defaults, "__module__": __name__}
    made: type[Event] = type(Event)("KettleBoiled", (Event,), body, **KEYWORDS | (keywords or {}))
    return contract_of({made.wire_type(): made})


@pytest.fixture(scope="module", autouse=True)
def _forgotten() -> Iterator[None]:
    """Forget the classes of these tests, which share a wire type: other tests look at all declared events."""
    yield
    gc.collect()


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_refused_if_readers_of_the_old_shape_do_not_understand_it(change: str) -> None:
    fields, keywords, said = CHANGES[change]

    found = list(breaks(event(), event(fields, keywords)))

    assert len(found) == bool(said)
    if said:
        assert said in found[0] and ("upcasts=" in found[0])


def test_a_compatible_change_is_seen_and_an_old_version_is_kept() -> None:
    was, now = event(), event({"litres": float}, {"version": 2, "upcasts": {1: dict}})

    assert differences(was, was) == []
    assert list(merged(was, now)) == ["kettle.boiled.v1", "kettle.boiled.v2"]
    assert merged(was, now)["kettle.boiled.v1"] == was["kettle.boiled.v1"]
    assert list(breaks(merged(was, now), now)) == []
    [lost] = breaks(now, event({"litres": float}, {"version": 2}))
    assert "it no longer reads kettle.boiled.v1" in lost


def test_the_committed_contract_is_the_present_one() -> None:
    assert run("eventbus", "contract", str(FILE)) == (0, "", "")


def test_an_incompatible_change_of_the_site_is_refused_and_not_written(tmp_path: Path) -> None:
    told = json.loads(FILE.read_text())
    told["order.placed.v1"]["data"]["properties"]["gift"] = {"type": "boolean"}
    file = tmp_path / "contract.json"
    file.write_text(json.dumps(told))

    code, _, complaint = run("eventbus", "contract", str(file), "--write")

    assert code == 1 and "order.placed.v1: the field gift is gone. Declare it with version=2" in complaint
    assert json.loads(file.read_text()) == told
    assert run("eventbus", "contract", str(file), "--write", "--undeployed", "order.placed.v1") == (0, "", "")
    assert json.loads(file.read_text()) == json.loads(FILE.read_text())


def test_a_compatible_change_of_the_site_asks_to_write_the_file_anew(tmp_path: Path) -> None:
    file = tmp_path / "contract.json"
    told = json.loads(FILE.read_text())
    del told["order.placed.v1"]
    file.write_text(json.dumps(told))

    code, _, complaint = run("eventbus", "contract", str(file))

    assert code == 1 and complaint.endswith(f"manage.py eventbus contract {file} --write")
    assert json.loads(run("eventbus", "contract", str(file), "--json")[1])["changed"] == ["order.placed.v1"]
    assert run("eventbus", "contract", str(file), "--write") == (0, "", "")
    assert file.read_bytes() == FILE.read_bytes()
