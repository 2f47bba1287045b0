import os
import threading
import time

from eventbus import effect, handles
from tests.rolling.load_app.events import Asked, Rang
from tests.rolling.load_app.models import Answer


@handles(Rang, group="clerks")
def answer(event: Rang) -> None:
    Answer.objects.create(name=event.name, number=event.number, process=os.getpid(), at=time.time())


def write_answer(event: Asked, answer: None) -> None:
    Answer.objects.create(name=event.name, number=0, process=os.getpid(), at=time.time())


# An effect, as whatever takes so long must be: the database cuts a transaction that is idle for ten seconds.
@effect(Asked, group="thinkers", record=write_answer, on_unknown_outcome="retry")
def think(event: Asked, *, idempotency_key: str) -> None:
    with open(os.environ["SHIFT_CALLS"], "a") as file:
        file.write(f"{event.name} {time.time()}\n")
    threading.Event().wait(event.seconds)
