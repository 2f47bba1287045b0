import os
from pathlib import Path

from eventbus import handles
from tests.eventbus.house import until
from tests.eventbus.slow.events import Lingered


@handles(Lingered, group="slow")
def linger(event: Lingered) -> None:
    folder = Path(os.environ["SLOW_FOLDER"])
    (folder / f"begun-{event.name}").touch()
    until((folder / f"finish-{event.name}").exists, "permission to finish")
