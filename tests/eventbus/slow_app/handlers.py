import os
from pathlib import Path

from eventbus import handles
from tests.eventbus.slow_app.events import Lingered
from tests.waiting import until


@handles(Lingered, group="slow")
def linger(event: Lingered) -> None:
    folder = Path(os.environ["SLOW_FOLDER"])
    (folder / f"begun-{event.name}").touch()
    until((folder / f"finish-{event.name}").exists, "permission to finish")
