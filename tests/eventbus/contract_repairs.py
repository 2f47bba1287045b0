"""What an operator repairs is handled, says the handlers' own record; or it stays lost by name."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction
from django.db.models import F

from eventbus import Event, Permanent, handles, publish, registry
from eventbus.audit import delivery_audit
from eventbus.consuming import ignored_types
from eventbus.models import IgnoredType, OperatorAction, OutboxRow, ParkedEvent, Progress
from eventbus.operations import status
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.eventbus.busy_site import many, places
from tests.eventbus.test_commands import run

NEW = "house.gifted.v1"  # a type that the house's release does not know


@contextmanager
def release_that_knows(wire_type: str) -> Iterator[None]:
    """The next release: its code has the type, whether or not a group handles it."""
    ignored_types._known.add(wire_type)
    try:
        yield
    finally:
        ignored_types._known.discard(wire_type)


def give(house: House, *names: str) -> None:
    """A newer release of a publisher tells of something that the house does not know."""
    with transaction.atomic():
        ids = publish(*(Unknown(name=name) for name in names))
    rows = OutboxRow.objects.filter(event_id__in=ids)
    for row in rows:
        OutboxRow.objects.filter(pk=row.pk).update(type=NEW, headers=row.headers.replace(Unknown.wire_type(), NEW))


def learn(house: House, event_type: type[Event], wire_type: str, group: str = "house-a") -> None:
    """The group's next release handles it."""
    handles(event_type, group=group)(lambda event: house.write(group, Noted(name=event.name, number=0)))  # type: ignore[attr-defined]
    handlers = registry.groups[group].handlers
    handlers[wire_type] = handlers.pop(event_type.wire_type())
    house.restart()


def pass_over(*names: str) -> None:
    """Move the offsets behind what was told of these keys, as somebody might who repairs a table by hand."""
    for name in names:
        last = OutboxRow.objects.filter(key=name, offset__isnull=False).order_by("-offset")[0]
        rows = Progress.objects.filter(topic=last.topic, partition=last.partition, offset__lte=last.offset)
        rows.update(offset=last.offset + 1, epoch=F("epoch") + 1)


def lost() -> int:
    return sum(one.count for one in delivery_audit.read().violations if one.what == delivery_audit.LOST)


@pytest.mark.django_db(transaction=True)
class WhatIsRepairedIsHandled:
    """Promise 1 and promise 8."""

    def test_what_is_lost_is_redelivered_and_handled(self, house: House) -> None:
        house.handler("house-a")
        house.say(*many("vase", 3), ("chair", 1))
        house.relay()
        pass_over("vase")
        house.restart()
        house.settle()
        assert (house.seen(name="vase"), lost()) == ([], 3)

        assert run("eventbus", "redeliver", "house-a", "--lost")[0] == 0
        house.settle()

        assert house.seen(name="vase") == [1, 2, 3]
        assert house.seen(name="chair") == [1]
        assert places() == {"handled": 4}
        [action] = OperatorAction.objects.filter(action="redeliver")
        assert "3 house.noted.v1" in action.error

    def test_a_dry_run_counts_what_is_lost_and_it_stays_lost(self, house: House) -> None:
        house.handler("house-a")
        house.say(*many("vase", 3))
        house.relay()
        pass_over("vase")
        house.restart()

        _, said, _ = run("eventbus", "redeliver", "house-a", "--lost", "--dry-run", "--json")
        house.settle()

        assert json.loads(said)["types"] == {Noted.wire_type(): 3}
        assert (house.seen(), lost()) == ([], 3)
        assert not OperatorAction.objects.exists()

    def test_what_is_redelivered_waits_behind_what_waits_for_its_key(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler("house-a", broken)
        house.say(("vase", 1))
        house.relay()
        pass_over("vase")
        house.restart()
        house.say(("vase", 2), ("vase", 3))
        house.settle()

        run("eventbus", "redeliver", "house-a", "--lost")
        house.settle()
        assert (house.waiting(), len(house.dead())) == ([3, 1], 1)

        broken.names.clear()
        run("eventbus", "requeue", "--all")
        house.settle()
        assert house.seen(name="vase") == [2, 3, 1]
        assert places() == {"handled": 3}

    def test_what_a_group_handled_is_redelivered_to_nobody(self, house: House) -> None:
        house.handler("house-a")
        house.say(*many("vase", 3))
        house.settle()

        code, _, complaint = run("eventbus", "redeliver", "house-a", "--lost")
        house.settle()

        assert (code, house.seen(name="vase")) == (1, [1, 2, 3])
        assert "nothing" in complaint

    def test_what_a_release_did_not_know_is_counted_shown_and_handled_by_the_next(self, house: House) -> None:
        house.handler("house-a")
        give(house, "vase", "vase", "chair")
        house.say(("vase", 1))
        house.settle()
        [found] = status.status().ignored_types
        assert (found.group, found.type, found.events, found.handles) == ("house-a", NEW, 3, False)
        assert "Deploy the release that handles them" in found.remedy

        with release_that_knows(NEW):
            learn(house, Unknown, NEW)
            [found] = status.status().ignored_types
            assert f"Group house-a ignored 3 events of {NEW}" in str(found)
            assert f"To have them handled: manage.py eventbus redeliver house-a --type {NEW}" in str(found)
            assert str(found) in status.problems(status.status(), dispatches=True)
            assert run("eventbus", "redeliver", "house-a", "--type", NEW)[0] == 0
            house.settle()

        assert house.seen(name="vase") == [1, 0, 0]
        assert house.seen(name="chair") == [0]
        assert places() == {"handled": 4}
        assert status.status().ignored_types == []

    def test_a_type_that_a_group_leaves_to_others_is_no_matter_for_it(self, house: House) -> None:
        house.handler("house-a")
        give(house, "vase")
        house.settle()

        with release_that_knows(NEW):
            assert status.status().ignored_types == []

    def test_what_was_known_and_not_handled_is_shown_once_there_is_a_handler(self, house: House) -> None:
        house.handler("house-a")
        with transaction.atomic():
            publish(Unknown(name="vase"), Unknown(name="chair"))
        house.settle()
        assert delivery_audit.read().earlier == []

        learn(house, Unknown, Unknown.wire_type())

        [earlier] = delivery_audit.read().earlier
        assert (earlier.group, earlier.type, earlier.events) == ("house-a", Unknown.wire_type(), 2)
        assert places() == {"ignored": 2}
        assert f"redeliver house-a --type {Unknown.wire_type()}" in run("eventbus", "status")[1]
        run("eventbus", "redeliver", "house-a", "--type", Unknown.wire_type())
        house.settle()
        assert (house.seen(name="vase"), places()) == ([0], {"handled": 2})

    def test_an_operator_who_says_that_they_need_not_be_handled_is_told_no_more(self, house: House) -> None:
        house.handler("house-a")
        give(house, "vase")
        house.settle()

        assert run("eventbus", "redeliver", "house-a", "--type", NEW, "--dismiss")[0] == 0

        assert not IgnoredType.objects.exists()
        assert OperatorAction.objects.get().error == f"1 {NEW}"
        assert (house.seen(), places()) == ([], {"ignored": 1})

    def test_a_parked_event_that_an_older_release_lets_go_is_counted_too(self, house: House, bus_clock) -> None:
        """The newer one was rolled back while its event waited for another attempt."""
        house.handler("house-a", Mended("vase"))
        house.say(("vase", 1))
        house.settle()
        for table in (ParkedEvent, OutboxRow):
            table.objects.update(type=NEW)

        bus_clock.advance(hours=1)
        house.settle()

        assert (house.seen(), house.parked()) == ([], [])
        assert [(one.type, one.events) for one in status.status().ignored_types] == [(NEW, 1)]

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            (["nobody", "--lost"], 2),
            (["house-a"], 2),
            (["house-a", "--lost", "--dismiss"], 2),
            (["house-a", "--type", "house.never.v1"], 1),
            (["house-a", "--type", "house.never.v1", "--dismiss"], 1),
        ],
    )
    def test_a_wrong_line_says_what_to_type(self, house: House, line: list[str], code: int) -> None:
        house.handler("house-a")

        found, _, complaint = run("eventbus", "redeliver", *line)

        assert found == code
        assert complaint
