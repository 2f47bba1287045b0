"""`eventbus replay`, as an operator types it."""

import json
import os
import signal
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from eventbus.models import InboxRow, OperatorAction, OutboxRow, ReplayRun
from tests.eventbus.bus_app import House, Noted

NOTES = 50  # enough that a run cannot be through before it is asked to stop


def run(*arguments: str, out: StringIO | None = None) -> tuple[int, str, str]:
    """Exit code, what was printed, what was complained about."""
    out = out or StringIO()
    try:
        call_command("eventbus", "replay", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


class Projection:
    """What its handler does when it sees an event; nothing, unless told."""

    def __init__(self, house: House) -> None:
        self.meets = lambda event: None
        house.handler(call=lambda event: self.meets(event), replayable=True, batch=1)


@pytest.fixture
def projection(house: House) -> Projection:
    """It has handled three events."""
    projection = Projection(house)
    house.say(("vase", 1), ("vase", 2), ("chair", 1))
    house.settle()
    return projection


def test_all_is_replayed_and_the_trail_names_who(house: House, projection: Projection) -> None:
    code, said, complaint = run("house-a", "--all")

    assert (code, complaint) == (0, "")
    assert "3 events to go" in said
    assert "done: 3 handled" in said
    assert "\r" not in said
    assert house.seen(name="vase") == [1, 2, 1, 2]
    action = OperatorAction.objects.get()
    assert (action.action, action.group) == ("replay", "house-a")
    assert "command line" in action.who


def test_times_have_a_zone_and_limit_what_is_replayed(house: House, projection: Projection) -> None:
    first, last = OutboxRow.objects.order_by("created_at")[0], OutboxRow.objects.order_by("-created_at")[0]
    house.say(("vase", 3))
    house.settle()
    told = OutboxRow.objects.get(key="vase", created_at__gt=last.created_at).created_at

    assert run("house-a", "--until", f"{told.isoformat()}", "--key", "vase")[0] == 0
    assert house.seen()[4:] == [("vase", 1), ("vase", 2)]
    assert run("house-a", "--since", f"{told.isoformat()}")[0] == 0
    assert house.seen()[6:] == [("vase", 3)]

    code, _, complaint = run("house-a", "--until", f"{first.created_at:%Y-%m-%dT%H:%M:%SZ}")
    assert (code, "Nothing to replay" in complaint) == (1, True)


@pytest.mark.parametrize("text", ["2026-11-25", "2026-11-25T08:00"])
def test_a_time_without_a_zone_is_refused_with_the_remedy(house: House, projection: Projection, text: str) -> None:
    code, _, complaint = run("house-a", "--since", text)

    assert code != 0
    assert "no time zone: write 2026-11-25T" in complaint
    assert not ReplayRun.objects.exists()


def test_a_dry_run_counts_by_type_and_writes_nothing(house: House, projection: Projection) -> None:
    inbox = InboxRow.objects.count()

    code, said, _ = run("house-a", "--all", "--dry-run", "--json")
    _, table, _ = run("house-a", "--key", "vase", "--dry-run")

    assert code == 0
    assert (json.loads(said)["types"], json.loads(said)["left_out"]) == ({"house.noted.v1": 3}, 0)
    assert ["house.noted.v1", "2"] in [line.split() for line in table.splitlines()]
    assert "The log has everything." in table
    assert len(house.seen()) == 3
    assert (ReplayRun.objects.count(), OperatorAction.objects.count(), InboxRow.objects.count()) == (0, 0, inbox)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (["house-a"], "--all"),
        (["house-a", "--all", "--key", "vase"], "--all"),
        (["house-b", "--all"], "Known: house-a"),
        (["house-a", "--all", "--topic", "garden"], "It reads house."),
        (["house-a", "--resume", "987654"], "no replay 987654"),
        (["house-a", "--resume", "1", "--key", "vase"], "give --resume alone"),
        (["house-a", "--resume", "1", "--dry-run"], "give --resume alone"),
    ],
)
def test_a_wrong_line_exits_with_2(house: House, projection: Projection, line: list[str], complaint: str) -> None:
    code, _, told = run(*line)

    assert (code, complaint in told) == (2, True), told
    assert not OperatorAction.objects.exists()


def test_a_failed_run_names_the_event_and_is_resumed_once_mended(house: House, projection: Projection) -> None:
    def fail(event: Noted) -> None:
        if event.number == 2:
            raise ValueError("broken")

    projection.meets = fail
    code, said, complaint = run("house-a", "--key", "vase", "--json")

    assert code == 1
    told = json.loads(said)
    assert (told["state"], told["handled"]) == ("failed", 1)
    assert str(OutboxRow.objects.filter(key="vase").order_by("id")[1].event_id) in told["error"]
    assert f"ValueError: broken\nMend it, then go on with manage.py eventbus replay house-a --resume {told['run']}" in (
        complaint
    )

    projection.meets = lambda event: None
    code, said, _ = run("house-a", "--resume", str(told["run"]), "--json")
    assert (code, json.loads(said).keys(), json.loads(said)["state"]) == (0, told.keys(), "done")
    assert house.seen(name="vase") == [1, 2, 1, 2]
    assert run("house-a", "--resume", str(told["run"]))[0] == 1
    assert OperatorAction.objects.count() == 2


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_finishes_what_is_in_hand_and_the_run_is_resumed(
    house: House, projection: Projection, asked: signal.Signals
) -> None:
    house.say(*(("cup", number) for number in range(NOTES)))
    house.settle()
    before = signal.getsignal(asked)

    def ask(event: Noted) -> None:
        if event.number == 3:
            os.kill(os.getpid(), asked)

    projection.meets = ask
    code, _, complaint = run("house-a", "--key", "cup")
    stopped = ReplayRun.objects.get()

    assert (code, stopped.state) == (1, "running")
    assert f"--resume {stopped.id}" in complaint
    assert 4 <= stopped.handled < NOTES
    assert house.seen(name="cup") == [*range(NOTES), *range(stopped.handled)]
    assert signal.getsignal(asked) is before

    projection.meets = lambda event: None
    assert run("house-a", "--resume", str(stopped.id))[0] == 0
    assert house.seen(name="cup") == [*range(NOTES), *range(NOTES)]


@pytest.mark.parametrize(("language", "expected"), [("en", "Replays"), ("fr", "Relectures")])
def test_staff_see_the_runs_and_change_nothing(
    house: House, projection: Projection, admin_client: Client, language: str, expected: str
) -> None:
    run("house-a", "--all")
    admin_client.cookies["django_language"] = language

    page = admin_client.get(reverse("admin:eventbus_replayrun_changelist")).content.decode()
    shown = admin_client.get(reverse("admin:eventbus_replayrun_change", args=[ReplayRun.objects.get().id]))

    assert expected.lower() in page.lower()
    assert "house-a" in page
    assert 'name="_save"' not in shown.content.decode()
