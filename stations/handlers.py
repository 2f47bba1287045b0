"""The event handlers of the stations' own consumer group."""

from eventbus import handles
from stations.events import PollFinished, StationChanged
from stations.history.recording import record_answer, record_change
from stations.services import recording


@handles(StationChanged, group="stations", replayable=True)
def write_history(event: StationChanged) -> None:
    recording.write_history(event)
    record_change(event)


@handles(PollFinished, group="stations", replayable=True)
def write_answer(event: PollFinished) -> None:
    record_answer(event)
