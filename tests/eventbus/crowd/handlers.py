import os

from eventbus import handles
from tests.eventbus.crowd.events import Called
from tests.eventbus.crowd.models import Seen


@handles(Called, group="crowd")
def write_down(event: Called) -> None:
    Seen.objects.create(name=event.name, number=event.number, process=os.getpid())
