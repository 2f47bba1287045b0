"""A developer declares events and handlers, and is told at once what to write instead of a mistake."""

import gc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from eventbus import Event, effect, handles, registry
from eventbus.errors import WrongDeclaration
from tests.eventbus.bus_app import Noted

GOOD: dict[str, Any] = {"name": "points.granted", "topic": "loyalty", "key": "order_id"}


def points_granted(**keywords: Any) -> type[Event]:
    class PointsGranted(Event, **keywords):
        order_id: str
        points: int = 1

    return PointsGranted


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No class and no group of a test is left for the next one."""
    kept = dict(registry.groups)
    yield
    registry.groups.clear()
    registry.groups.update(kept)
    gc.collect()


def test_an_event_says_all_that_the_bus_must_know_in_its_class_line() -> None:
    event_type = points_granted(**GOOD, version=2, unsigned_from=("/weather",))

    assert event_type.wire_type() == "points.granted.v2"
    assert (event_type.wire_name, event_type.wire_version) == ("points.granted", 2)
    assert (event_type.topic, event_type.key_fields) == ("loyalty", ("order_id",))
    assert event_type.unsigned_from == ("/weather",)
    assert event_type(order_id="7").key() == "7"  # type: ignore[call-arg]


def test_fields_are_named_and_never_change() -> None:
    event_type: Any = points_granted(**GOOD)

    with pytest.raises(TypeError):
        event_type("7")
    with pytest.raises(AttributeError):
        event_type(order_id="7").points = 2
    assert msgspec.json.decode(b'{"order_id": "7", "points": 3}', type=event_type).points == 3


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"name": ""}, "name is missing"),
        ({"name": "points granted"}, "name is 'points granted': it may have letters"),
        ({"name": 'points"'}, "it may have letters"),
        ({"name": "p" * 118}, "name has 118 characters: it may have 117"),
        ({"name": "points.granted.v2"}, 'write name="points.granted", version=2'),
        ({"version": 0}, "version is 0: it is a number from 1 on"),
        ({"version": "1"}, "version is '1'"),
        ({"topic": ""}, "topic is missing"),
        ({"topic": "points/all"}, "topic is 'points/all': it may have letters"),
        ({"topic": ".."}, "topic is '..'"),
        ({"topic": "t" * 61}, "topic has 61 characters: it may have 60"),
        ({"key": ()}, "key is missing"),
        ({"key": ["order_id"]}, "key is ['order_id']: it is a field's name, or a tuple of names"),
        ({"key": "oder_id"}, "key names 'oder_id': the fields are order_id, points"),
        ({"key": ("order_id", "number")}, "key names 'number'"),
        ({"unsigned_from": "/weather"}, "it is a tuple of sources"),
        ({"key_fields": ("order_id",)}, "key_fields is no keyword of an event: the keywords are name, topic, key"),
        ({"frozen": False}, "frozen is no keyword"),
    ],
)
def test_a_wrong_class_line_is_refused_with_one_to_write(keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongDeclaration) as refused:
        points_granted(**GOOD | keywords)

    assert said in str(refused.value)
    assert str(refused.value).startswith("PointsGranted: ")
    written = 'Write: class PointsGranted(Event, name="points.granted", topic="points", key="order_id")'
    assert str(refused.value).endswith(written)


def test_a_handler_and_an_effect_are_functions_as_before() -> None:
    @handles(Noted, group="loyalty")
    def grant_points(event: Noted) -> int:
        return event.number

    @effect(Noted, group="loyalty-mail", on_unknown_outcome="never")
    def mail_points(event: Noted, *, idempotency_key: str) -> str:
        return idempotency_key

    assert grant_points(Noted(name="vase", number=3)) == 3
    assert [handler.effect for handler in registry.groups["loyalty-mail"].all()] == [True]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"group": ""}, "group is missing or empty"),
        ({"group": "g" * 61}, "group has 61 characters: it may have 60"),
        ({"group": "our loyalty"}, "group is 'our loyalty': it may have letters"),
        ({"on_dead": "stop"}, "Write 'park' or 'skip'"),
        ({"start": "now"}, "Write 'latest' or 'earliest'"),
        ({"seconds": 0}, "Say how many seconds"),
        ({"batch": 0}, "batch is 0: it is a number from 1 on. Write the most events in one transaction: batch=200"),
        ({"batch": "200"}, "batch is '200'"),
        ({"attempts": 0}, "attempts is 0: it is a number from 1 on. Write how often"),
        ({"attempts": True}, "attempts is True"),
        ({"attempts": 1.5}, "attempts is 1.5"),
        ({"backoff": 5.0}, "backoff is 5.0. Write the longest first pause and the longest of all"),
        ({"backoff": (1.0,)}, "backoff=(1.0, 300.0)"),
        ({"backoff": (1.0, "300")}, "backoff is (1.0, '300')"),
        ({"backoff": (-1.0, 300.0)}, "backoff is (-1.0, 300.0)"),
        ({"backoff": (300.0, 1.0)}, "backoff is (300.0, 1.0)"),
        ({"backoff": (1.0, float("inf"))}, "backoff is (1.0, inf)"),
        ({"permanent": ValueError}, "Write a tuple of exception classes: permanent=(KeyError,)"),
        ({"permanent": [ValueError]}, "Write a tuple of exception classes"),
        ({"permanent": ("ValueError",)}, "Write a tuple of exception classes"),
        ({"permanent": (KeyboardInterrupt,)}, "Write a tuple of exception classes"),
    ],
)
def test_a_wrong_option_of_a_handler_is_refused(policy: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongDeclaration) as refused:
        handles(Noted, **{"group": "loyalty"} | policy)(lambda event: None)

    assert said in str(refused.value)
    assert policy.get("group", "loyalty") not in registry.groups


def test_an_effect_says_what_an_unknown_outcome_means() -> None:
    with pytest.raises(WrongDeclaration, match="Write 'retry' or 'never'"):
        effect(Noted, group="post", on_unknown_outcome="")(lambda event, **named: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("record", [lambda event: None, lambda: None, lambda event, answer, more: None, "note"])
def test_a_record_that_cannot_take_event_and_answer_is_refused(record: Any) -> None:
    with pytest.raises(WrongDeclaration, match=r"cannot take event and answer .* Write: def .*\(event: .*, answer"):
        effect(Noted, group="post", on_unknown_outcome="never", record=record)(lambda event, **named: None)

    assert "post" not in registry.groups


async def grant_later(event: Noted) -> None: ...


def grant_nothing() -> None: ...


@pytest.mark.parametrize("function", [grant_later, grant_nothing])
def test_a_function_that_cannot_be_called_with_an_event_is_refused(function: Any) -> None:
    with pytest.raises(WrongDeclaration, match=rf"Write: def {function.__name__}\(event: Noted\)"):
        handles(Noted, group="loyalty")(function)


def test_an_effect_takes_its_idempotency_key() -> None:
    with pytest.raises(WrongDeclaration, match=r"event: Noted, \*, idempotency_key: str"):
        effect(Noted, group="post", on_unknown_outcome="never")(lambda event: None)


@pytest.mark.parametrize("event_types", [(), (str,), (grant_nothing,)])
def test_a_handler_of_no_event_is_refused(event_types: Any) -> None:
    with pytest.raises(WrongDeclaration, match="names its events first"):
        handles(*event_types, group="loyalty")
