"""Read the metrics of all processes, and add up those of the dead in one pair of files."""

import json
import logging
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import Metric, values
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from eventbus.measuring import process_files, series

try:
    import fcntl
except ImportError:  # Windows, where there is no folder to read
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

KEPT = ("counter", "histogram")  # of a dead process: its gauges are of things that went with it
DEAD = "dead"  # in the names of the files that hold the sums of dead processes
LIST = "dead.json"  # names those files, and the files that they include: it is replaced at once
WAIT_SECONDS = 1.0  # for another reader: two answers of a scrape at the same time take less
LOOK_SECONDS = 0.02  # between two tries
TRIES = 3  # of reading without waiting: adding up happens at most once for each process that ends


class AllProcesses:
    """A collector of the metrics of all processes of this machine, for a registry of prometheus_client."""

    def collect(self) -> Iterable[Metric]:
        """Return each metric once: counts of all processes that ever ran, gauges of those that run."""
        where = process_files.folder()
        if where is None or values.ValueClass is values.MutexValue:
            return list(series.registry.collect())
        with _alone(where) as alone:
            if alone:
                _add_up_dead(where)
            return _merged(where)


def _merged(where: Path) -> list[Metric]:
    for _ in range(TRIES):
        with suppress(FileNotFoundError):  # another reader, whom we did not wait for, has just added up some
            return list(MultiProcessCollector.merge([str(file) for file in _current(where)]))
    return []


@contextmanager
def _alone(where: Path) -> Iterator[bool]:
    """Keep other readers away. Give False if one of them, which may be frozen, does not let go."""
    try:
        opened = os.open(where, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _locks(opened)
    finally:
        os.close(opened)


def _locks(opened: int) -> bool:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(LOOK_SECONDS)


def _current(where: Path) -> list[Path]:
    """Return the files to read: of living processes, kept ones of dead processes, and the sums of others."""
    sums, included = _listed(where)
    found = []
    for file in sorted(where.glob("*.db")):
        kind, process = _kind_and_process(file)
        if process.startswith(DEAD):
            is_current = file.name in sums
        else:
            is_current = file.name not in included and (kind in KEPT or process_files.is_alive(where, process))
        if is_current and _is_whole(file):
            found.append(file)
    return found


def _kind_and_process(file: Path) -> tuple[str, str]:
    kind, _, process = file.stem.rpartition("_")
    return kind, process


def _listed(where: Path) -> tuple[list[str], list[str]]:
    """Return the names of the files of sums, and of the files that these include."""
    try:
        listed = json.loads((where / LIST).read_text(encoding="utf-8"))
        return list(listed["sums"]), list(listed["included"])
    except FileNotFoundError:
        return [], []


def _is_whole(file: Path) -> bool:
    """Return False for a file that cannot be read: power was cut, or somebody has just removed it."""
    try:
        for _ in MmapedDict.read_all_values_from_file(file):
            pass
    except Exception as error:
        logger.info("The metrics in %s cannot be read: %s", file, error)
        return False
    return True


def _add_up_dead(where: Path) -> None:
    """Add the counts of dead processes to the sums, and remove their files. A crash at any line changes no count.

    The list decides: with its replacement the new sums count, and what they include does not. A full disk leaves all as
    it was.
    """
    try:
        sums, included = _listed(where)
        _remove(where, included, sums)
        dead = [file for file in where.glob("*.db") if _is_dead(where, file)]
        if not dead:
            return
        kept = [where / one for one in sums] + [file for file in dead if _kind_and_process(file)[0] in KEPT]
        mark = f"{DEAD}-{secrets.token_hex(6)}"
        new = [_sum_up(where, kind, mark, kept) for kind in KEPT]
        gone = sums + [file.name for file in dead]
        _replace_list(where, [file.name for file in new], gone)
        _remove(where, gone, [file.name for file in new])
    except OSError as error:
        logger.info("The metrics of dead processes stay in their files: %s", error)


def _is_dead(where: Path, file: Path) -> bool:
    process = _kind_and_process(file)[1]
    return not process.startswith(DEAD) and not process_files.is_alive(where, process)


def _sum_up(where: Path, kind: str, mark: str, files: Iterable[Path]) -> Path:
    """Write the sums of the files of a kind into a new file, which gets all its room from the disk first."""
    found = [file for file in files if _kind_and_process(file)[0] == kind and _is_whole(file)]
    new = where / f"{kind}_{mark}.db"
    opened = os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        os.posix_fallocate(opened, 0, max([process_files.FILE_BYTES[kind], *(file.stat().st_size for file in found)]))
        stored = MmapedDict(str(new))
        for metric in MultiProcessCollector.merge([str(file) for file in found], accumulate=False):
            for sample in metric.samples:
                names, labels = list(sample.labels), list(sample.labels.values())
                key = mmap_key(metric.name, sample.name, names, labels, metric.documentation)
                stored.write_value(key, sample.value, 0.0)
        stored.close()
        os.fsync(opened)
    finally:
        os.close(opened)
    return new


def _replace_list(where: Path, sums: list[str], included: list[str]) -> None:
    new = where / f"{LIST}.new"
    with new.open("w", encoding="utf-8") as file:
        json.dump({"sums": sums, "included": included}, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(where / LIST)


def _remove(where: Path, names: Iterable[str], sums: Iterable[str]) -> None:
    """Remove files that the sums include, the locks of their processes, and sums that no list names."""
    unlisted = [file.name for file in where.glob(f"*_{DEAD}-*.db") if file.name not in sums]
    for one in {*names, *unlisted}:
        (where / one).unlink(missing_ok=True)
    left = {_kind_and_process(file)[1] for file in where.glob("*.db")}
    for lock in where.glob(f"*{process_files.LOCKED}"):
        if lock.stem not in left and not process_files.is_alive(where, lock.stem):
            lock.unlink(missing_ok=True)
