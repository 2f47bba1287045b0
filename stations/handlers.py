"""The event handlers of the stations' own consumer group."""

from eventbus import handles
from stations.events import StationChanged
from stations.services import recording


@handles(StationChanged, group="stations", replayable=True)
def write_history(event: StationChanged) -> None:
    recording.write_history(event)
