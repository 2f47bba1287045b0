"""What happened when, in a file beside the processes' logs."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Self


class Timeline:
    """Its lines begin with UTC's time, as those of the logs do."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "timeline").open("a", buffering=1)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def note(self, what: str) -> None:
        with self._lock:
            self._file.write(f"{datetime.now(UTC):%H:%M:%S.%f} {what}\n")
