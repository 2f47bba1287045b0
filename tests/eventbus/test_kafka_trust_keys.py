"""The keys that sign records change, and an operator sees what was set aside."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from eventbus import clock
from eventbus.consuming import trust
from eventbus.events import SOURCE
from eventbus.models import OperatorAction, OutboxRow, Progress, UntrustedRecord
from tests.eventbus.bus_app import Noted
from tests.eventbus.bus_app_on_kafka import HouseOnKafka, open_house_on_kafka
from tests.eventbus.forger import NOT_TOLD, says
from tests.eventbus.test_commands import a_living_dispatcher, run
from tests.waiting import until


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    Progress.objects.all().delete()  # of the site's own groups, whose topics are not here
    with open_house_on_kafka(kafka, partitions=1) as house:
        yield house


@pytest.fixture(autouse=True)
def nothing_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_said", dict.fromkeys(trust._said, float("-inf")))


class TestKeysChange:
    def test_what_an_older_key_signed_is_believed_while_that_is_named(
        self, house: HouseOnKafka, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
        monkeypatch.setattr(trust, "_in_outbox", lambda records: set())  # the signature alone has to do

        house.settle(raise_errors=True)

        assert house.seen() == [("vase", 1)]
        assert not UntrustedRecord.objects.exists()

    def test_keys_of_their_own_go_before_the_sites(
        self, house: HouseOnKafka, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        house.handler()
        monkeypatch.setitem(settings.EVENTBUS, "SIGNING_KEYS", ["one"])
        house.say(("vase", 1))
        house.relay()
        monkeypatch.setitem(settings.EVENTBUS, "SIGNING_KEYS", ["another", "one"])
        settings.SECRET_KEY = "has nothing to do with it"
        monkeypatch.setattr(trust, "_in_outbox", lambda records: set())

        house.settle(raise_errors=True)

        assert house.seen() == [("vase", 1)]

    @pytest.mark.parametrize("marked", [True, False], ids=["with its place", "before the relay has noted its place"])
    def test_an_event_of_ours_is_handled_whatever_key_has_signed_it(
        self, house: HouseOnKafka, settings: Any, caplog: pytest.LogCaptureFixture, marked: bool
    ) -> None:
        """Who changes keys in the wrong order loses nothing: the outbox has it just so."""
        house.handler()
        house.say(("vase", 1))
        house.relay()
        if not marked:
            OutboxRow.objects.update(partition=None, offset=None)
        settings.SECRET_KEY = "a new one, and nobody named the old one"

        worker = house.worker()
        with closing(worker):
            until(lambda: house.step(worker) and house.seen(), "the event")

        assert house.seen() == [("vase", 1)]
        assert not UntrustedRecord.objects.exists()
        assert "Give every process the same EVENTBUS_SIGNING_KEYS or SECRET_KEY" in caplog.text

    def test_another_payload_under_its_id_and_place_is_not_the_outboxs(
        self, house: HouseOnKafka, settings: Any
    ) -> None:
        house.handler()
        [event_id] = house.say(("vase", 1))
        row = OutboxRow.objects.get()
        house.append(NOT_TOLD, key=b"vase", headers=says(id=str(event_id), sequence=str(row.id)))
        OutboxRow.objects.update(partition=0, offset=0, appended_at=clock.now())  # there, as it seems

        house.settle(raise_errors=True)

        assert house.seen() == []
        assert UntrustedRecord.objects.count() == 1


class TestAnOperator:
    @pytest.fixture(autouse=True)
    def forged(self, house: HouseOnKafka) -> None:
        house.handler()
        for number in (1, 2):
            house.append(NOT_TOLD, key=b"vase%d" % number, headers=says(type=Noted.wire_type()))
        house.settle(raise_errors=True)

    def test_sees_where_each_lies(self) -> None:
        _, said, _ = run("eventbus", "untrusted")

        header, *rows = [line.split() for line in said.splitlines()]
        assert header[:5] == ["id", "group", "topic", "partition", "offset"]
        assert [row[1:5] for row in rows] == [["house-a", "house", "0", "0"], ["house-a", "house", "0", "1"]]
        _, said, _ = run("eventbus", "untrusted", "--json", "--limit", "1")
        assert [(row["key"], row["source"]) for row in json.loads(said)] == [("vase1", SOURCE)]
        assert run("eventbus", "untrusted", "--topic", "garden")[1] == "No record of garden is set aside.\n"

    def test_dismisses_what_was_shown_and_no_more(self, house: HouseOnKafka) -> None:
        first = UntrustedRecord.objects.order_by("id").first()
        assert first is not None

        assert run("eventbus", "dismiss", str(first.pk))[0] == 0

        assert list(UntrustedRecord.objects.values_list("key", flat=True)) == ["vase2"]
        action = OperatorAction.objects.get()
        assert (action.action, action.key, action.error) == ("dismiss", "vase1", f"house/0/0, said to be of {SOURCE}")
        assert run("eventbus", "dismiss", str(first.pk))[0] == 2
        assert run("eventbus", "dismiss", "--all")[0] == 0
        assert run("eventbus", "dismiss", "--all")[0] == 1, "nothing is left"
        assert run("eventbus", "dismiss")[0] == 2
        house.say(("vase", 3))
        house.settle(raise_errors=True)
        assert house.seen() == [("vase", 3)], "no handler is given what was dismissed"
        with a_living_dispatcher():
            assert run("eventbus", "status")[0] == 0
        assert Progress.objects.get(group="house-a").untrusted == 2
