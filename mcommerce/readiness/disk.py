"""Checks that the disk takes what this process writes."""

import errno
import os
import tempfile
from pathlib import Path

from django.conf import settings
from django.db import connection

PROBE_BYTES = 64 * 1024  # a transaction's pages in SQLite's log, or a small picture
# A folder that this role only reads may be read-only, and one that it never uses may be missing.
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT}


def disk_problem(*, keeps_uploads: bool) -> str:
    """Return "" while this process can write to all the folders that it needs; else those that refuse, and why."""
    needed = {Path(settings.MEDIA_ROOT)} if keeps_uploads else set()
    if connection.vendor == "sqlite":
        needed.add(Path(connection.settings_dict["NAME"]).parent)
    refused = []
    for folder in sorted({*needed, Path(settings.VAR_DIR)}):
        try:
            _write_in(folder)
        except OSError as error:
            if folder in needed or error.errno not in READ_ONLY:
                refused.append(f"{folder} cannot be written: {error.strerror}")
    return "; ".join(refused)


def _write_in(folder: Path) -> None:
    """Write a file without a name. A missing folder is made when it is needed, so its parent is tested."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    with tempfile.TemporaryFile(dir=there, buffering=0) as file:
        if file.write(b"\0" * PROBE_BYTES) < PROBE_BYTES:  # a short write raises no error by itself
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
