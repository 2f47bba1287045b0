"""A clock that somebody may set while everybody works."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from eventbus import clock


def follow() -> None:
    """From now on this process's clock is wrong by as many seconds as the file CHAOS_CLOCK says; 0 without one."""
    file = os.environ.get("CHAOS_CLOCK")
    if not file:
        return
    path, right = Path(file), clock.now

    def skewed() -> datetime:
        try:
            return right() + timedelta(seconds=float(path.read_text()))
        except (FileNotFoundError, ValueError):  # not set, or being written
            return right()

    clock.now = skewed
