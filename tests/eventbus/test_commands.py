"""`eventbus`, `relay_events` and `handle_events`, as an operator types them."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from eventbus import Permanent, clock
from eventbus.database.leases import RELAY, Lease, is_beating
from eventbus.ids import uuid7
from eventbus.models import DeadLetter, LeaseRow, OperatorAction, ProcessRow, Progress
from tests.eventbus.bus_app import House, Noted
from tests.waiting import until

BEAT_SECONDS = 0.05  # of the dispatcher that these tests pretend


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, what was printed, what was complained about."""
    out = StringIO()
    try:
        call_command(*arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


@contextmanager
def a_living_dispatcher() -> Iterator[None]:
    """One that relays, and handles for every group there is, as its row says since a while."""
    lease, stop = Lease("dispatcher"), threading.Event()
    assert lease.acquire()
    ProcessRow.objects.create(
        id=uuid7(),
        role="all",
        host="here",
        pid=os.getpid(),
        state="active",
        assignment={name: [] for name in Progress.objects.values_list("group", flat=True)},
        began_at=clock.now() - timedelta(hours=1),
        beat_at=clock.now(),
    )

    def beat() -> None:
        while not stop.wait(BEAT_SECONDS):
            lease.beat()
        connections.close_all()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        lease.release()
        ProcessRow.objects.filter(host="here").delete()


@pytest.fixture
def poison(house: House) -> set[int]:
    """Numbers that make the house's handler fail; the vase died at 1 and the chair at 2."""
    numbers = {1, 2}

    def handle(event: Noted) -> None:
        if event.number in numbers:
            raise Permanent("poison\nwith a \x1b[31msecond line")

    house.handler(call=handle)
    house.say(("vase", 1), ("chair", 2), ("vase", 3))
    house.settle()
    return numbers


def test_status_is_content_while_a_dispatcher_lives_and_nothing_died(house: House) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()

    with a_living_dispatcher():
        code, said, _ = run("eventbus", "status")

    assert code == 0
    assert "outbox: 0 unsent" in said
    header, row = [line for line in said.splitlines() if line.startswith(("group ", "house-a "))][:2]
    assert row.split()[:6] == ["house-a", "house", "1", "1", "0", "1"]
    assert header.index("end") + len("end") == len(row[: header.index("end") + len("end")].rstrip())


def test_status_fails_when_nobody_dispatches(house: House) -> None:
    code, said, complaint = run("eventbus", "status")

    assert code == 1
    assert "dispatched: no" in said
    assert "Nobody dispatches" in complaint


def test_status_fails_when_something_died(house: House, poison: set[int]) -> None:
    with a_living_dispatcher():
        code, said, complaint = run("eventbus", "status", "--json")

    assert code == 1
    told = json.loads(said)
    assert told["dispatches"] is True
    assert told["problems"] == [complaint]
    assert "Dead letters: 2" in complaint
    [house_a] = [group for group in told["groups"] if group["group"] == "house-a"]
    assert house_a["dead_keys"] == 2


def test_topics_name_their_readers(house: House) -> None:
    house.handler()

    code, said, _ = run("eventbus", "topics", "--json")

    assert code == 0
    assert ["house-a"] in [topic["groups"] for topic in json.loads(said) if topic["topic"] == "house"]
    assert "house.noted.v1" in run("eventbus", "topics")[1]


def test_dead_shows_what_died_and_why(house: House, poison: set[int]) -> None:
    code, said, _ = run("eventbus", "dead", "--json", "--key", "vase")

    assert code == 0
    [letter] = json.loads(said)
    assert (letter["group"], letter["key"], letter["error_class"]) == ("house-a", "vase", "Permanent")
    assert json.loads(letter["payload"]) == {"name": "vase", "number": 1}
    assert "Traceback" in letter["traceback"]


@pytest.mark.parametrize("limit", ["0", "-1", "all", "9" * 20])
def test_how_many_are_shown_is_a_number(house: House, limit: str) -> None:
    for action in ("dead", "rejected"):
        code, _, complaint = run("eventbus", action, "--limit", limit)
        assert code
        assert f"'{limit}' is not a whole number from 1" in complaint


def test_a_dead_letter_is_shown_in_full_without_steering_the_terminal(house: House, poison: set[int]) -> None:
    code, said, _ = run("eventbus", "dead", str(DeadLetter.objects.get(key="vase").pk))

    assert code == 0
    assert '"number": 1' in said
    assert "\x1b" not in said


def test_requeue_after_mending_handles_everything_in_order(house: House, poison: set[int]) -> None:
    poison.clear()

    code, said, _ = run("eventbus", "requeue", "--group", "house-a", "--key", "vase")
    house.settle()

    assert code == 0
    assert "house.noted.v1 vase" in said
    assert house.seen(name="vase") == [1, 3]
    assert house.seen(name="chair") == []
    assert "command line" in OperatorAction.objects.get().who


def test_discard_of_all_lets_the_keys_go_on(house: House, poison: set[int]) -> None:
    code, said, _ = run("eventbus", "discard", "--all", "--expect", "2", "--json")
    house.settle()

    assert code == 0
    assert len(json.loads(said)["asked"]) == 2
    assert house.seen() == [("vase", 3)]
    assert OperatorAction.objects.filter(action="discard").count() == 2
    assert "vase" in run("eventbus", "dead", "--discarded")[1]


def test_an_unknown_id_exits_with_2_and_asks_for_nothing(house: House, poison: set[int]) -> None:
    known = DeadLetter.objects.get(key="vase").pk

    code, _, complaint = run("eventbus", "requeue", str(known), "987654")

    assert code == 2
    assert "987654" in complaint
    assert not OperatorAction.objects.exists()
    assert run("eventbus", "dead", "987654")[0] == 2


def test_a_second_wish_is_refused_and_told(house: House, poison: set[int]) -> None:
    letter = DeadLetter.objects.get(key="vase").pk
    assert run("eventbus", "requeue", str(letter))[0] == 0

    code, _, complaint = run("eventbus", "discard", str(letter))

    assert code == 1
    assert "earlier request" in complaint


@pytest.mark.parametrize("named", [[], ["1", "--all"], ["--all", "--key", "vase"]])
def test_what_is_meant_must_be_said_in_one_way(house: House, named: list[str]) -> None:
    assert run("eventbus", "discard", *named)[0] == 2


@pytest.mark.parametrize("command", ["relay_events", "handle_events"])
def test_none_starts_beside_a_living_dispatcher(house: House, command: str) -> None:
    with a_living_dispatcher():
        code, _, complaint = run(command)

    assert code == 1
    assert "RUN_BUS_IN_SERVER=0" in complaint


@pytest.mark.parametrize(("command", "asked"), [("relay_events", signal.SIGTERM), ("handle_events", signal.SIGINT)])
def test_it_runs_until_it_is_asked_to_stop(house: House, command: str, asked: signal.Signals) -> None:
    house.handler()
    before = signal.getsignal(asked)

    with stopping_after(lambda: house.seen() == [("vase", 1)], asked):
        house.say(("vase", 1))
        code, _, complaint = run(command)

    assert (code, complaint) == (0, "")
    assert LeaseRow.objects.get(name="dispatcher").owner == ""
    assert signal.getsignal(asked) is before


@contextmanager
def stopping_after(condition, asked: signal.Signals) -> Iterator[None]:
    """Ask this process to stop once a dispatcher leads in it and the condition holds. Fails when that was late."""
    late: list[BaseException] = []

    def watch() -> None:
        try:
            until(lambda: is_beating(RELAY, seconds=0.2), "a dispatcher that beats")
            until(condition, "the condition")
        except BaseException as error:
            late.append(error)
        finally:
            os.kill(os.getpid(), asked)
            connections.close_all()

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    thread.join()
    assert not late, late


def test_one_group_alone_is_refused_for_there_is_one_dispatcher(house: House) -> None:
    house.handler("house-a")
    house.handler("house-b")

    code, _, complaint = run("handle_events", "--group", "house-a")

    assert code == 1
    assert "One dispatcher runs all groups" in complaint
