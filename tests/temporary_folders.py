"""Folders for the servers of a test run, whose data nobody keeps: in memory, if there is room.

A database or a topic is hundreds of small files, and a run makes and drops hundreds of those. Some file systems find
room for a new file the slower the more were removed lately: ext4 without a journal took a third of a second for a
database, memory takes a thirtieth.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")  # Linux's file system in memory
MEMORY_FREE = Path("/proc/meminfo")
ROOM_BYTES_MIN = 4 * 2**30  # the servers of a whole run have 0.3 GB at once, and what runs beside needs memory as well
# Its pipe is closed when the test run has died, and `read` returns. Who was started on the folder ends first: in order,
# since PostgreSQL has memory elsewhere that it gives back, or after three seconds not.
CLEAR_AWAY = """
read _
for try in $(seq 60); do
    [ "$try" -le 3 ] && how=INT || how=KILL
    running=
    for server in $(pgrep -f "$1"); do [ "$server" = $$ ] || { running=yes; kill -s $how "$server"; }; done
    [ -z "$running" ] && rm -rf "$1" && exit
    sleep 1
done
"""


@contextmanager
def throwaway_folder(prefix: str, *, within: Path | None = None, on_disk: bool = False) -> Iterator[Path]:
    """A folder that is gone afterwards, also when this process is killed. It is `within` another, if that is named."""
    place = within if within or on_disk else folder_in_memory()
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    try:
        with _guarded(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    """When this process dies meanwhile, another clears away what is there."""
    command = ["/bin/sh", "-c", CLEAR_AWAY, "sh", str(folder)]
    nowhere = subprocess.DEVNULL
    # Ctrl-C is not for it.
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, process_group=0)
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()  # which closes its pipe as well


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
