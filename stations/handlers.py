"""The event handlers of the stations' own consumer group."""

from eventbus import handles
from stations import services
from stations.events import StationChanged


@handles(StationChanged, group="stations", replayable=True)
def write_history(event: StationChanged) -> None:
    services.write_history(event)
