"""Promise 1: what is told is told with the rows that it tells of, or not at all."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from eventbus import Event, publish
from eventbus.errors import EventTooLarge, NotAnEvent, PublishOutsideTransaction, WrongFieldType
from eventbus.events import EVENT_BYTES_MAX, KEY_CHARACTERS_MAX
from eventbus.models import OutboxRow, ParkedKey, Timer
from tests.eventbus.bus_app import House, Mended, Noted


class Described(Event, name="house.described", topic="house", key="name"):
    """Somebody described something at length."""

    name: str
    details: dict[str, list[str]]


@pytest.mark.django_db(transaction=True)
class ToldWithItsRows:
    """Promise 1."""

    def test_what_is_rolled_back_is_never_heard_of(self, house: House) -> None:
        house.handler()

        with pytest.raises(IntegrityError), transaction.atomic():
            publish(Noted(name="vase", number=1))
            raise IntegrityError("the row beside it was refused")
        house.settle()

        assert house.seen() == []
        assert not OutboxRow.objects.filter(type=Noted.wire_type()).exists()

    def test_a_savepoint_that_is_rolled_back_takes_its_events_along(self, house: House) -> None:
        house.handler()

        with transaction.atomic():
            publish(Noted(name="vase", number=1))
            with pytest.raises(IntegrityError), transaction.atomic():
                publish(Noted(name="vase", number=2))
                raise IntegrityError
        house.settle()

        assert house.seen(name="vase") == [1]

    def test_publishing_outside_a_transaction_is_refused(self, house: House) -> None:
        with pytest.raises(PublishOutsideTransaction, match="atomic"):
            publish(Noted(name="vase", number=1))

    def test_the_transaction_of_a_test_case_does_not_count_as_one(self, house: House) -> None:
        of_the_test = transaction.atomic()
        of_the_test._from_testcase = True  # as Django's TestCase marks the one that it rolls back

        with of_the_test, pytest.raises(PublishOutsideTransaction):
            publish(Noted(name="vase", number=1))

    def test_many_events_are_one_statement(self, house: House) -> None:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            publish(*(Noted(name=f"n{number}", number=number) for number in range(300)))

        assert len(queries) == 1

    @pytest.mark.parametrize(
        ("event", "field"),
        [
            (Noted(name="vase", number="12"), "Noted.number holds str: it must be int"),
            (Noted(name="vase", number=True), "Noted.number holds bool: it must be int"),
            (Noted(name=None, number=1), "Noted.name holds NoneType: it must be str"),
            (Described(name="vase", details={"text": [1]}), "Described.details holds dict"),
            (Described(name="vase", details=[]), "Described.details holds list"),
        ],
    )
    def test_a_value_of_another_type_is_refused_with_its_field(self, house: House, event: Event, field: str) -> None:
        with pytest.raises(WrongFieldType, match=re.escape(field)), transaction.atomic():
            publish(Noted(name="vase", number=1), event)

        assert not OutboxRow.objects.exists()

    @pytest.mark.parametrize(
        "how", [{}, {"due": datetime(2030, 1, 1, tzinfo=UTC)}, {"unordered": "a test"}], ids=["now", "due", "unordered"]
    )
    @pytest.mark.parametrize("before", [0, 1, 500])
    def test_a_wrong_value_is_refused_on_every_way_to_publish(
        self, house: House, how: dict[str, Any], before: int
    ) -> None:
        events = [Noted(name=f"n{number}", number=number) for number in range(before)]

        with pytest.raises(WrongFieldType, match="Noted.number holds str"), transaction.atomic():
            publish(*events, Noted(name="vase", number="12"), **how)

        assert not OutboxRow.objects.exists()
        assert not Timer.objects.exists()

    @pytest.mark.parametrize("due", [None, datetime(2030, 1, 1, tzinfo=UTC)])
    def test_a_handler_that_publishes_a_wrong_value_fails(self, house: House, due: datetime | None) -> None:
        house.handler(call=lambda event: publish(Noted(name="echo", number="12"), due=due))
        house.say(("vase", 1))

        house.settle()

        assert "Noted.number holds str" in ParkedKey.objects.get(group="house-a").error
        assert OutboxRow.objects.count() == 1
        assert not Timer.objects.exists()

    @pytest.mark.parametrize(
        ("value", "found"),
        [
            ("vase", "a value of str"),
            ({"name": "vase"}, "a value of dict"),
            ([Noted(name="vase", number=1)], "a value of list"),
            (Noted, "the class Noted"),
            (Event(), "a value of Event"),
            (None, "a value of NoneType"),
        ],
    )
    def test_what_is_no_event_is_refused(self, house: House, value: Any, found: str) -> None:
        with pytest.raises(NotAnEvent, match=f"was given {found}. Write publish"), transaction.atomic():
            publish(Noted(name="vase", number=1), value)

        assert not OutboxRow.objects.exists()

    def test_an_event_that_is_too_large_is_refused(self, house: House) -> None:
        with pytest.raises(EventTooLarge), transaction.atomic():
            publish(Noted(name="x" * EVENT_BYTES_MAX, number=1))

    def test_the_largest_event_is_carried(self, house: House) -> None:
        text = "x" * (EVENT_BYTES_MAX - len(msgspec.json.encode(Described(name="vase", details={"": [""]}))))
        with transaction.atomic():
            publish(Described(name="vase", details={"": [text]}))
        with pytest.raises(EventTooLarge), transaction.atomic():
            publish(Described(name="vase", details={"": [text + "x"]}))

        house.relay()

        [record] = house.log()
        assert len(record.payload) == EVENT_BYTES_MAX

    @pytest.mark.parametrize(
        "event",
        [
            Noted(name="a\0b", number=1),
            Described(name="vase", details={"text": ["fine", "a\0b"]}),
            Described(name="vase", details={"a\0b": []}),
        ],
        ids=["in a key", "deep inside", "in a name"],
    )
    def test_a_text_that_not_every_database_keeps_is_refused(self, house: House, event: Event) -> None:
        with pytest.raises(ValueError, match="U\\+0000"), transaction.atomic():
            publish(event)

    def test_a_text_that_only_looks_like_it_is_carried(self, house: House) -> None:
        with transaction.atomic():
            publish(Described(name="vase", details={"escaped": ["\\u0000"]}))
        house.relay()

        [record] = house.log()

        assert msgspec.json.decode(record.payload, type=Described).details == {"escaped": ["\\u0000"]}

    @pytest.mark.parametrize("name", ["", "x" * (KEY_CHARACTERS_MAX + 1)], ids=["none", "too long"])
    def test_an_event_without_a_key_to_keep_its_order_by_is_refused(self, house: House, name: str) -> None:
        with pytest.raises(ValueError, match="unusable key"), transaction.atomic():
            publish(Noted(name=name, number=1))

    def test_who_gives_up_the_order_is_heard_all_the_same(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), unordered="a vase is noted once")

        house.settle()

        assert house.seen() == [("vase", 1)]

    @pytest.mark.parametrize("reason", ["  ", True, False, None])
    def test_giving_up_the_order_for_no_reason_is_refused(self, house: House, reason: Any) -> None:
        with pytest.raises(ValueError, match="why the order"), transaction.atomic():
            publish(Noted(name="vase", number=1), unordered=reason)

        assert not OutboxRow.objects.exists()

    def test_an_event_says_what_it_is_to_programs_in_any_language(self, house: House) -> None:
        [event_id] = house.say(("vase", 1))
        house.relay()

        [record] = house.log()

        said = record.attributes()
        assert said["specversion"] == "1.0"
        assert (said["id"], said["type"]) == (str(event_id), "house.noted.v1")
        assert said["subject"] == said["partitionkey"] == "vase"
        assert datetime.fromisoformat(said["time"]).utcoffset() == timedelta()
        assert said["correlationid"] == said["id"]
        assert "causationid" not in said

    def test_what_a_handler_tells_names_its_cause(self, house: House) -> None:
        house.handler(call=echo)
        [cause] = house.say(("vase", 1))

        house.settle()

        said = {record.key: record.attributes() for record in house.log()}
        assert said["echo"]["causationid"] == said["echo"]["correlationid"] == str(cause)
        assert said["echo"]["traceparent"] == said["vase"]["traceparent"]

    def test_what_a_handler_tells_before_it_fails_was_never_told(self, house: House, bus_clock) -> None:
        broken = Mended("vase")

        def tell_and_fail(event: Noted) -> None:
            echo(event)
            broken(event)

        house.handler(call=tell_and_fail)
        house.say(("vase", 1))
        house.settle()
        assert house.seen() == []
        assert OutboxRow.objects.filter(key="echo").count() == 0

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen() == [("vase", 1), ("echo", 1)]


def echo(event: Noted) -> None:
    """Tell something because of it, once."""
    if event.name != "echo":
        publish(Noted(name="echo", number=event.number))
