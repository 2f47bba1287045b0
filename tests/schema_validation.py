"""Validates what tests read from the bus: each record of this site fits the JSON Schema of its event.

The backends' own way of reading is wrapped, so no test has to ask for it. What does not fit makes the test fail at its
end. Of Kafka's records each is judged, in memory the first of each type. Records that tests forge, and those of other
programs, are theirs to judge. Of a site in processes of its own each row of the outbox is judged when the site ends.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, wraps
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from eventbus.backends import memory
from eventbus.backends.kafka import stale_tail
from eventbus.backends.kafka.reading import assigned_partitions
from eventbus.events import Event, Record, declared_events
from eventbus.schemas.json_schema import schema_of

IN_MEMORY_MAX = 100  # records of a type that are judged in one test: a load of thousands would take minutes

MISFIT = "A record does not fit `manage.py eventbus schema`"

misfits: list[str] = []  # of the test that runs
_known: dict[str, type[Event]] = {}
_judged = Counter[str]()  # of the test that runs, by type
formats = FormatChecker(["uuid"])


@formats.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """RFC 3339 wants an offset from UTC."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def validator(event_type: type[Event]) -> Draft202012Validator:
    """Made once for each type, after a look at the schema itself."""
    schema = schema_of(event_type)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=formats)


def misfit(record: Record) -> str:
    """What does not fit in a record of this site, or nothing."""
    event_type = _type_of(record.type) if record.ours else None
    return _misfit(event_type, record.payload) if event_type else ""


def _misfit(event_type: type[Event], payload: bytes) -> str:
    try:
        value = msgspec.json.decode(payload)
    except msgspec.DecodeError as error:
        return f"{event_type.wire_type()}: {error}"
    found = next(validator(event_type).iter_errors(value), None)
    return f"{event_type.wire_type()}: {found.json_path}: {found.message}" if found else ""


OUTBOX = "SELECT id, type, payload FROM eventbus_outbox ORDER BY id"  # of a site whose processes are not this one


def misfits_in_outbox(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """What does not fit in the rows of OUTBOX. A site declares all of its events, so an unknown one is wrong."""
    found = []
    for row, name, payload in rows:
        event_type = _type_of(name)
        if event_type is None:
            found.append(f"outbox {row}: {name}: no event is declared by this name")
        elif complaint := _misfit(event_type, bytes(payload)):
            found.append(f"outbox {row}: {complaint}")
    return found


def assert_outbox_fits(rows: Iterable[tuple[Any, ...]]) -> None:
    """Raise AssertionError with the first rows that do not fit."""
    found = misfits_in_outbox(rows)
    assert not found, f"{MISFIT}: {'; '.join(found[:5])}"


def _type_of(name: str) -> type[Event] | None:
    """The class of a declared type. Tests declare some while they run, so what is not known is looked for again."""
    if name not in _known:
        _known.update({one.wire_type(): one for one in declared_events()})
    return _known.get(name)


def note(record: Record) -> None:
    """Remember what does not fit: a reader's thread must not end by it."""
    if found := misfit(record):
        misfits.append(f"{record.topic}/{record.partition}/{record.offset}: {found}")


@contextmanager
def reading_is_watched() -> Iterator[None]:
    """Both backends hand over what they read as before."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (assigned_partitions, stale_tail):
            patch.setattr(module, "record_of", _noting(module.record_of))
        patch.setattr(memory.outbox_offsets, "read", _noting_all(memory.outbox_offsets.read))
        yield


def _noting(read: Any) -> Any:
    @wraps(read)
    def noted(message: Any, topic: str) -> Record:
        record: Record = read(message, topic)
        note(record)
        return record

    return noted


def _noting_all(read: Any) -> Any:
    @wraps(read)
    def noted(*given: Any, **named: Any) -> list[Record]:
        records: list[Record] = read(*given, **named)
        for record in records:
            _judged[record.type] += 1
            if _judged[record.type] <= IN_MEMORY_MAX:
                note(record)
        return records

    return noted


@pytest.fixture(scope="session", autouse=True)
def _records_are_validated() -> Iterator[None]:
    with reading_is_watched():
        yield


@pytest.fixture(autouse=True)
def _every_record_fits_its_schema(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that plants what does not fit is marked `misfits`. A mistake that is made in the bus may do so too."""
    misfits.clear()
    _judged.clear()
    yield
    found = list(misfits)
    misfits.clear()
    if found and not (request.node.get_closest_marker("misfits") or "mistake" in request.fixturenames):
        pytest.fail(f"{MISFIT}: {'; '.join(found[:5])}")
