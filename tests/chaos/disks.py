"""File systems of one's own, which can become full."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM_KB = 4 * 1024 * 1024  # more than any run writes; what is not written takes no memory
TRIES = 20  # somebody may write between asking how much there is and saying that there is no more room


class Disk:
    """One in memory, mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """There is no more room than is taken."""
        for _ in range(TRIES):
            found = os.statvfs(self.path)
            taken_kb = (found.f_blocks - found.f_bfree) * found.f_frsize // 1024
            if self._resize(taken_kb):
                return
        raise RuntimeError(f"{self.path} could not be made full")

    def free(self) -> None:
        self._resize(ROOM_KB)

    def _resize(self, room_kb: int) -> bool:
        options = f"remount,size={room_kb}k"
        return subprocess.run(["mount", "-o", options, str(self.path)], capture_output=True).returncode == 0


@contextmanager
def mounted_disk() -> Iterator[Disk | None]:
    """None where this is not allowed."""
    path = Path(tempfile.mkdtemp(prefix="disk-"))
    try:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_KB}k", "chaos", str(path)]
        mounted = not subprocess.run(mount, capture_output=True).returncode
    except FileNotFoundError:
        mounted = False
    try:
        yield Disk(path) if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(path)], capture_output=True)
        path.rmdir()
