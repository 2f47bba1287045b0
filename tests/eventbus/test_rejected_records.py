"""An operator decides about what the log rejects: `manage.py eventbus rejected`, `resend` and `withdraw`."""

import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from eventbus import backends, testing
from eventbus.audit import delivery_audit
from eventbus.backends import outbox_offsets
from eventbus.backends.base import Unsent
from eventbus.backends.memory import MemoryBackend
from eventbus.models import OperatorAction, OutboxRow
from eventbus.operations.status import UNSENT_SECONDS_MAX
from tests.eventbus.bus_app import House
from tests.eventbus.test_commands import a_living_dispatcher, run

TOO_LARGE = "larger than the\nlog takes"


class NarrowLog(MemoryBackend):
    """It takes no event of `rejected` keys, and nothing of a batch from there on, as Kafka does."""

    def __init__(self, *rejected: str) -> None:
        super().__init__()
        self.rejected = set(rejected)

    def append(self, rows: Sequence[Unsent], fence: Callable[[], None]) -> None:
        first = next((at for at, row in enumerate(rows) if row.key in self.rejected), len(rows))
        if first:
            super().append(rows[:first], fence)
        if first < len(rows):
            outbox_offsets.reject(rows[first].id, TOO_LARGE)


@pytest.fixture
def log(house: House) -> Iterator[NarrowLog]:
    """The vase is too large for it, and has two more events behind it; the chair went by."""
    before = backends.current()
    backends.use(log := NarrowLog("vase"))
    house.handler()
    house.say(("vase", 1), ("chair", 1), ("vase", 2), ("vase", 3))
    house.settle()
    assert house.seen() == [("chair", 1)]
    yield log
    testing.forget()
    backends.use(before)


def id_of(key: str) -> str:
    return str(OutboxRow.objects.filter(key=key).order_by("id")[0].pk)


def rejected() -> list[str]:
    return list(OutboxRow.objects.exclude(rejected="").values_list("key", flat=True))


def test_status_names_what_the_log_refuses_with_the_remedy(house: House, log: NarrowLog, bus_clock) -> None:
    bus_clock.advance(seconds=2 * UNSENT_SECONDS_MAX)

    with a_living_dispatcher():
        code, said, complaint = run("eventbus", "status", "--json")

    assert code == 1
    assert complaint == (
        "Rejected by the log: 1, and 2 later events of their keys wait behind. See manage.py eventbus rejected, then "
        "resend or withdraw."
    ), "a relay is there"
    outbox = json.loads(said)["outbox"]
    assert (outbox["rejected"], outbox["behind"], outbox["depth"]) == (1, 2, 0)
    assert "rejected by the log: 1, with 2 later events behind them" in run("eventbus", "status")[1]


def test_rejected_events_are_listed_with_why_and_how_many_wait(house: House, log: NarrowLog) -> None:
    row = OutboxRow.objects.get(id=id_of("vase"))

    code, said, _ = run("eventbus", "rejected", "--topic", "house", "--json")

    assert code == 0
    [told] = json.loads(said)
    assert (told["id"], told["event_id"], told["type"]) == (row.pk, str(row.event_id), "house.noted.v1")
    assert (told["key"], told["rejected"], told["behind"]) == ("vase", TOO_LARGE, 2)
    assert json.loads(told["payload"]) == {"name": "vase", "number": 1}
    header, line = run("eventbus", "rejected")[1].splitlines()
    assert header.split()[0] == "id"
    assert {"vase", "2", str(row.event_id)} <= set(line.split())


def test_what_the_log_takes_when_it_is_offered_again_comes_before_the_later_ones(house: House, log: NarrowLog) -> None:
    log.rejected.clear()

    code, said, _ = run("eventbus", "resend", "--all")
    house.settle()

    assert (code, said) == (0, f"resend {id_of('vase')}: house house.noted.v1 vase\n")
    assert house.seen(name="vase") == [1, 2, 3]
    assert rejected() == []
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_is_withdrawn_is_never_told_and_its_key_goes_on(house: House, log: NarrowLog) -> None:
    log.rejected.clear()
    row = OutboxRow.objects.get(id=id_of("vase"))

    code, said, _ = run("eventbus", "withdraw", str(row.pk), "--json")
    house.settle()

    assert code == 0
    [told] = json.loads(said)["asked"]
    assert (told["event_id"], json.loads(told["payload"])) == (str(row.event_id), {"name": "vase", "number": 1})
    assert house.seen(name="vase") == [2, 3]
    assert delivery_audit.problems(delivery_audit.read()) == []
    assert delivery_audit.read().rejected == {}
    [kept] = json.loads(run("eventbus", "rejected", "--withdrawn", "--json")[1])
    assert (kept["id"], kept["payload"]) == (row.pk, told["payload"])
    with a_living_dispatcher():
        assert run("eventbus", "status")[0] == 0


@pytest.mark.parametrize("action", ["resend", "withdraw"])
def test_what_is_not_rejected_is_left_alone_and_stops_no_other(house: House, log: NarrowLog, action: str) -> None:
    house.say(("lamp", 1))

    code, said, complaint = run("eventbus", action, id_of("chair"), id_of("lamp"), id_of("vase"))

    assert (code, len(said.splitlines())) == (1, 1)
    assert complaint.splitlines() == [
        f"The log did not reject event {id_of('chair')}: it has it.",
        f"The log did not reject event {id_of('lamp')}: it is on its way there.",
    ]
    assert OperatorAction.objects.get().key == "vase"
