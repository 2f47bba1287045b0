"""A process that ends leaves no watch behind."""

import threading

import pytest

from eventbus import watches
from eventbus.consuming import watching
from tests.eventbus.bus_app import House, Noted
from tests.waiting import until

FAR_AWAY_SECONDS = 60.0  # how long a watch may take that hangs
pytestmark = pytest.mark.django_db(transaction=True)


def listening() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "eventbus-watch"]


def test_a_process_that_ends_leaves_a_watch_that_hangs(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "JOIN_SECONDS", 0.1)
    begun, enough = threading.Event(), threading.Event()

    def hang(events: list[Noted]) -> None:
        begun.set()
        enough.wait(FAR_AWAY_SECONDS)

    watch = watches(Noted, call=hang)
    try:
        house.say(("vase", 1))
        house.relay()
        until(begun.is_set, "it hangs")

        watching.close_all()

        assert listening() == [watch._thread]
        assert "left in the middle of something: 1" in caplog.text
    finally:
        enough.set()
        monkeypatch.undo()
        watch.close()
