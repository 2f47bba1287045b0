import os
import time

from eventbus import handles
from tests.eventbus.crowd.events import Called
from tests.eventbus.crowd.models import Seen

THINK_SECONDS = float(os.environ.get("CROWD_THINK_SECONDS", "0"))  # how long each event takes


@handles(Called, group="crowd", attempts=1)  # so that an attempt that is counted is a dead letter, and seen
def write_down(event: Called) -> None:
    time.sleep(THINK_SECONDS)
    Seen.objects.create(name=event.name, number=event.number, process=os.getpid())
