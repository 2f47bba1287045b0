"""Declare events by keywords of their class. A wrong declaration is refused with a sentence that says what to write."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from inspect import signature
from typing import Any, TypeVar

import msgspec

from eventbus.column_sizes import GROUP_CHARACTERS_MAX, TOPIC_CHARACTERS_MAX, TYPE_CHARACTERS_MAX
from eventbus.declaration.upcasting import Upcasts
from eventbus.errors import NotAnEvent, WrongDeclaration

M = TypeVar("M", bound="EventMeta")

LEGAL = re.compile(r"[A-Za-z0-9._-]+")  # the characters that Kafka allows in a topic's name
WITH_VERSION = re.compile(r"(.*)\.v(\d+)")
TAKEN = frozenset({"wire_name", "wire_version", "topic", "key_fields", "unsigned_from", "key", "wire_type", "upcasts"})
KEYWORDS = ("name", "topic", "key", "version", "upcasts", "unsigned_from")


class EventMeta(msgspec.StructMeta):
    """The metaclass of events: it takes the keywords that `Event` documents. All fields are keyword-only and frozen."""

    def __new__(
        mcs: type[M],
        class_name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        /,
        *,
        name: str = "",
        topic: str = "",
        key: str | tuple[str, ...] = (),
        version: int = 1,
        unsigned_from: tuple[str, ...] = (),
        upcasts: Upcasts | None = None,
        **unknown: Any,
    ) -> M:
        if not any(isinstance(base, EventMeta) for base in bases):  # Event itself: these are msgspec's own keywords
            return super().__new__(mcs, class_name, bases, namespace, **unknown)
        made = super().__new__(mcs, class_name, bases, namespace, frozen=True, kw_only=True)
        key_fields = (key,) if isinstance(key, str) and key else key
        fields = made.__struct_fields__
        faults = (
            *_clashes([*namespace, *fields], unknown),
            *_wrong_name("name", name, TYPE_CHARACTERS_MAX - len(f".v{version}")),
            *_wrong_version(name, version),
            *_wrong_name("topic", topic, TOPIC_CHARACTERS_MAX),
            *_wrong_key(key_fields, fields),
            *_wrong_sources(unsigned_from),
            *_wrong_upcasts(upcasts, version),
        )
        if faults:
            raise WrongDeclaration(f"{class_name}: {' '.join(faults)} {_example(class_name, fields)}")
        own = {"wire_name": name, "wire_version": version, "topic": topic, "key_fields": key_fields}
        for attribute, value in (own | {"unsigned_from": unsigned_from, "upcasts": dict(upcasts or {})}).items():
            setattr(made, attribute, value)
        return made


def is_declared(event_type: type) -> bool:
    """Return True for an event class whose declaration was accepted.

    A refused class has no wire name. It remains a subclass of `Event` until it is garbage collected.
    """
    return "wire_name" in vars(event_type)


def refuse_non_events(values: Iterable[object]) -> None:
    """Raise NotAnEvent unless each value is an object of a declared event class."""
    for value in values:
        if not isinstance(type(value), EventMeta) or not hasattr(value, "wire_name"):
            found = f"the class {value.__name__}" if isinstance(value, type) else f"a value of {type(value).__name__}"
            raise NotAnEvent(
                f"publish() takes events, and was given {found}. Write publish(OrderPaid(order_id=...)), and "
                "publish(*events) for those of a list"
            )


def refuse_wrong_group(group: object) -> None:
    """Raise WrongDeclaration for the name of a consumer group that the tables or Kafka cannot hold."""
    for fault in _wrong_name("group", group, GROUP_CHARACTERS_MAX):
        raise WrongDeclaration(f'{fault} Write the name of a consumer group, usually the app\'s: group="loyalty"')


def refuse_wrong_retries(attempts: object, backoff: object, permanent: object) -> None:
    """Raise WrongDeclaration for a policy of failed attempts that could not be followed."""
    refuse_wrong_count("attempts", attempts, "Write how often a failing event is tried in all: attempts=8")
    if not _is_backoff(backoff):
        raise WrongDeclaration(
            f"backoff is {backoff!r}. Write the longest first pause and the longest of all, in seconds: "
            "backoff=(1.0, 300.0)"
        )
    kinds = permanent if isinstance(permanent, tuple) else (None,)
    if not all(isinstance(one, type) and issubclass(one, Exception) for one in kinds):
        raise WrongDeclaration(f"permanent is {permanent!r}. Write a tuple of exception classes: permanent=(KeyError,)")


def refuse_wrong_count(name: str, value: object, remedy: str) -> None:
    """Raise WrongDeclaration unless a value is an integer from 1 on."""
    if type(value) is not int or value < 1:
        raise WrongDeclaration(f"{name} is {value!r}: it is a number from 1 on. {remedy}")


def refuse_wrong_record(record: Callable[..., None] | None) -> None:
    """Raise WrongDeclaration for an effect's `record` that could not be called with the event and its answer."""
    name = getattr(record, "__name__", repr(record))
    if record is not None and (error := unfit(record, "event", "answer")):
        raise WrongDeclaration(
            f"record is {name}, and cannot take event and answer ({error}). "
            f"Write: def {name}(event: OrderPaid, answer: Any) -> None"
        )


def unfit(function: Callable[..., object], *given: object, **named: object) -> str:
    """Return why a function cannot be called with these arguments; "" if it can, or has no signature to judge by."""
    try:
        signature(function).bind(*given, **named)
    except TypeError as error:
        return str(error)
    except ValueError:  # some functions in C have no signature
        pass
    return ""


def _is_backoff(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or not all(type(one) in {int, float} for one in value):
        return False
    first, longest = value
    return bool(0 <= first <= longest < float("inf"))  # 0: at once


def _clashes(names: Collection[str], unknown: Collection[str]) -> Iterator[str]:
    for name in sorted(TAKEN.intersection(names)):
        yield f"{name} may not stand in the class body: every event has it, and the class's keywords give its value."
    for keyword in unknown:
        yield f"{keyword} is no keyword of an event: the keywords are {', '.join(KEYWORDS)}."


def _wrong_name(what: str, value: object, longest: int) -> Iterator[str]:
    if value == "":
        yield f"{what} is missing or empty."
    elif not isinstance(value, str) or not LEGAL.fullmatch(value) or value in {".", ".."}:
        yield f'{what} is {value!r}: it may have letters A to Z, digits, ".", "_" and "-".'
    elif len(value) > longest:
        yield f"{what} has {len(value)} characters: it may have {longest}."


def _wrong_version(name: object, version: object) -> Iterator[str]:
    if type(version) is not int or version < 1:
        yield f"version is {version!r}: it is a number from 1 on."
    if isinstance(name, str) and (found := WITH_VERSION.fullmatch(name)):
        yield f'name ends with a version: write name="{found[1]}", version={found[2]}.'


def _wrong_key(key_fields: object, fields: Collection[str]) -> Iterator[str]:
    if not key_fields:
        yield "key is missing: it names the field whose value orders the events."
    elif not isinstance(key_fields, tuple):
        yield f"key is {key_fields!r}: it is a field's name, or a tuple of names."
    elif unknown := [name for name in key_fields if name not in fields]:
        yield f"key names {', '.join(map(repr, unknown))}: the fields are {', '.join(fields) or 'missing'}."


def _wrong_sources(unsigned_from: object) -> Iterator[str]:
    if not isinstance(unsigned_from, tuple) or not all(isinstance(one, str) and one for one in unsigned_from):
        yield f'unsigned_from is {unsigned_from!r}: it is a tuple of sources, such as ("/weather",).'


def _wrong_upcasts(upcasts: object, version: object) -> Iterator[str]:
    if upcasts is None:
        return
    if not isinstance(upcasts, Mapping) or not all(map(callable, upcasts.values())):
        yield f"upcasts is {upcasts!r}: it has a function for each older version, such as {{1: with_currency}}."
    elif isinstance(version, int) and [*upcasts] != [*range(version - len(upcasts), version)][: len(upcasts)]:
        yield f"upcasts has {', '.join(map(str, upcasts))}: name every version up to {version - 1}, the oldest first."


def _example(class_name: str, fields: Collection[str]) -> str:
    """Return an example of a class line. For a class `PointsGranted` the name is `points.granted`."""
    first, *rest = [word.lower() for word in re.findall(r"[A-Z][^A-Z]*", class_name)] or [class_name]
    name, key = ".".join([first, "_".join(rest)]) if rest else first, next(iter(fields), "id")
    return f'Write: class {class_name}(Event, name="{name}", topic="{first}", key="{key}")'
