"""A replay that is not done when its log is filled again, or a stretch appended again, reads nothing else instead."""

import threading
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import ReplayRun
from eventbus.repairs import replay
from eventbus.repairs.replay import Replay, ReplayFailed
from eventbus.repairs.replay_filter import ReplayRefused
from tests.eventbus.bus_app import House, Mended
from tests.eventbus.bus_app_on_kafka import replace
from tests.eventbus.replay_steps import begun, replayed
from tests.eventbus.test_commands import run

NAMES = [f"key{number}" for number in range(12)]  # they lie in several partitions
ONCE_MORE = ("eventbus", "republish", "--since", "2020-01-01T00:00:00Z")


class Terminal(StringIO):
    """Who watches how far a replay is appends its events to the log again, at the first word of it."""

    def __init__(self) -> None:
        super().__init__()
        self.appended: list[int] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if ": 1 of " in text and not self.appended:
            self.appended.append(run(*ONCE_MORE)[0])
        return super().write(text)


def test_a_run_does_not_pass_over_what_was_appended_again(replaced: KafkaBackend, house: House) -> None:
    house.handler(replayable=True)
    house.say(*((name, 1) for name in NAMES))
    house.settle()
    left = begun()

    assert run(*ONCE_MORE)[0] == 0
    house.settle()
    code, _, complaint = run("eventbus", "replay", "house-a", "--resume", str(left.id))

    assert (code, len(house.seen())) == (1, len(NAMES))
    assert "begin another once the group has passed them" in complaint
    assert replayed().handled == len(NAMES)


def test_a_run_at_work_ends_when_its_events_are_appended_again(replaced: KafkaBackend, house: House) -> None:
    house.handler(replayable=True, batch=1)
    house.say(*((name, 1) for name in NAMES))
    house.settle()
    terminal = Terminal()

    with pytest.raises(CommandError) as complaint:
        call_command("eventbus", "replay", "house-a", "--all", stdout=terminal)

    assert terminal.appended == [0]
    assert len(house.seen()) == len(NAMES) + 1
    assert "begin another once the group has passed them" in str(complaint.value)
    assert "--resume" not in str(complaint.value)


def test_a_run_that_had_failed_before_its_log_was_lost_does_not_read_other_events(
    replaced: KafkaBackend, house: House
) -> None:
    broken = Mended()
    house.handler(call=broken, replayable=True)
    house.say(("vase", 1), ("vase", 2))
    house.settle()
    broken.names.add("vase")
    failed = begun()
    with pytest.raises(ReplayFailed):
        Replay(failed, threading.Event()).go()
    broken.names.clear()

    house.restart()
    replace(replaced)
    house.settle()

    with pytest.raises(ReplayRefused, match="The log was lost meanwhile, and filled again: begin another"):
        replay.resume(failed, "ada")
    assert ReplayRun.objects.get().ended_at > failed.ended_at
    assert replayed().handled == 2
    assert house.seen() == [("vase", 1), ("vase", 2)] * 2
