import os
import time

from eventbus import Event, handles
from tests.rolling.load_app.models import Answer


class Rang(Event, name="shift.rang", topic="rings", key="name"):
    """Somebody rang, for the so manieth time."""

    name: str
    number: int


@handles(Rang, group="clerks")
def answer(event: Rang) -> None:
    Answer.objects.create(name=event.name, number=event.number, process=os.getpid(), at=time.time())
