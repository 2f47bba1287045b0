import os
import threading
import time

from eventbus import handles
from tests.eventbus.load_app.events import Called
from tests.eventbus.load_app.models import Seen

THINK_SECONDS = float(os.environ.get("CROWD_THINK_SECONDS", "0"))  # how long each event takes
HANGS_ON = os.environ.get("CROWD_HANGS_ON", "")  # the name with which it never comes to an end
SECONDS = float(os.environ.get("CROWD_HANDLER_SECONDS", "30"))


@handles(Called, group="crowd", attempts=1, seconds=SECONDS)
def write_down(event: Called) -> None:
    time.sleep(THINK_SECONDS)
    if event.name == HANGS_ON:
        threading.Event().wait()
    Seen.objects.create(name=event.name, number=event.number, process=os.getpid())
