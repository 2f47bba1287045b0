"""All groups of a process begin at once, and the first event that they see is often the same."""

import subprocess
import sys

from tests.eventbus import first_event_race


def test_groups_that_open_the_first_event_of_a_type_at_once_live_on() -> None:
    # A process of its own: what went wrong here was no exception but a segmentation fault.
    done = subprocess.run([sys.executable, "-m", first_event_race.__name__], capture_output=True, text=True)

    assert done.returncode == 0, f"it ended with {done.returncode}: {done.stderr}"
