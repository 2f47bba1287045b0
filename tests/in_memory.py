"""Where servers of a test run keep what nobody keeps: in memory, if there is room.

A database or a topic is hundreds of small files, and a run makes and drops hundreds of those. Some file systems find
room for a new file the slower the more were removed lately: ext4 without a journal took a third of a second for a
database, memory takes a thirtieth.
"""

import os
import re
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")  # Linux's file system in memory
MEMORY_FREE = Path("/proc/meminfo")
ROOM_BYTES_MIN = 4 * 2**30  # the servers of a whole run have 0.3 GB at once, and what runs beside needs memory as well


def folder_in_memory() -> Path | None:
    """Where to make a folder; None, which is the usual place for it, where there is no such thing or it is short.

    Whoever names a place by TMPDIR has them there.
    """
    if os.environ.get("TMPDIR"):
        return None
    try:
        available = re.search(r"^MemAvailable: *(\d+) kB$", MEMORY_FREE.read_text(), re.MULTILINE)
        room = min(shutil.disk_usage(MEMORY).free, int(available[1]) * 1024 if available else 0)
    except OSError:
        return None
    return MEMORY if room >= ROOM_BYTES_MIN else None
