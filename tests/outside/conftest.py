import threading
import time
from collections.abc import Callable

import pytest

DEADLINE_SECONDS = 60  # for what another thread does at once on an idle machine


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Look until it holds, or fail at the deadline."""

    def until(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, "it never came true"
            threading.Event().wait(0.01)

    return until
