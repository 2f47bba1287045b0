"""The files in which this process keeps its metrics: memory-mapped, so that a killed process loses no count.

The folder is PROMETHEUS_MULTIPROC_DIR, by which prometheus_client itself finds it; without it, each process keeps its
metrics to itself. A process has a name that no earlier process had: process ids come again, in containers at each
start. It holds a lock on a file of that name for as long as it lives, so that others know whether it is dead.
"""

import logging
import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path

from prometheus_client import values

try:
    import fcntl
except ImportError:  # Windows, where the site does not set the folder either
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# Bytes that each file takes from the disk when it is made. A mapped file that would need more from a full disk ends the
# process (SIGBUS). `series.SERIES_MAX` keeps each file below its size.
FILE_BYTES = {"counter": 768 * 1024, "histogram": 1280 * 1024, "gauge_livesum": 16 * 1024}
LOCKED = ".lock"

_lock = threading.Lock()
_pid, _name = 0, ""
_held: list[int] = []  # the descriptor of this process's lock: closing it would tell others that the process is dead


def folder() -> Path | None:
    """Return the folder of all processes' metrics; None if each process keeps its own."""
    named = os.environ.get(FOLDER)
    return Path(named) if named and fcntl is not None else None


def name() -> str:
    """Return the name of this process among the files. A forked process has another than its parent."""
    global _pid, _name
    if _pid != os.getpid():
        _name, _pid = f"{os.getpid()}-{secrets.token_hex(6)}", os.getpid()
        _make_files()
    return _name


def use() -> None:
    """Let prometheus_client keep values in files from now on. Repeats do nothing.

    Call it before the first value is made.
    """
    with _lock:
        if values.ValueClass is values.MutexValue or getattr(values.ValueClass, "ours", False):
            return
        if folder() is None:
            values.ValueClass = values.MutexValue
            return
        try:
            kept = values.MultiProcessValue(name)
        except OSError as error:
            leave(error)
            return
        kept.ours = True
        values.ValueClass = kept


def leave(error: OSError) -> None:
    """Let this process keep its further values to itself: its files cannot be made or opened."""
    logger.warning("The metrics of this process are not counted with those of others: %s", error)
    values.ValueClass = values.MutexValue


def _make_files() -> None:
    """Make this process's files, with all the room that they will need. Raises OSError if there is none."""
    where = Path(os.environ[FOLDER])
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: list[Path] = []
    try:
        _hold_lock(where)  # first, or a reader would take the files for those of a dead process
        for kind, size in FILE_BYTES.items():
            made.append(where / f"{kind}_{_name}.db")
            opened = os.open(made[-1], os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            try:
                os.posix_fallocate(opened, 0, size)
            finally:
                os.close(opened)
    except OSError:
        for file in made:
            with suppress(OSError):
                file.unlink()
        raise


def _hold_lock(where: Path) -> None:
    """Lock this process's file. It gets its name only when it is locked: a file without a lock is a dead process's."""
    new = where / f"{_name}.new"
    opened = os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    new.rename(where / f"{_name}{LOCKED}")
    _held[:] = [opened]


def is_alive(where: Path, process: str) -> bool:
    """Return True while the process with this name runs. `where`: the folder of its files."""
    try:
        opened = os.open(where / f"{process}{LOCKED}", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False
