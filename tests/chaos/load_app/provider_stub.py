"""A provider outside of the database: it answers, is slow to, or does what it was asked and says nothing.

It is two files: `away` exists while it is in trouble, `calls` has a line for each question that reached it.
"""

import os
import random
from pathlib import Path

from django.conf import settings


def call(idempotency_key: str, token: str) -> str:
    """Ask it. Raises TimeoutError, and then it may have done it or not."""
    folder = Path(settings.CHAOS_FOLDER)
    troubled = (folder / "away").exists()
    if troubled and random.random() < 0.5:
        raise TimeoutError("the provider was not reached")
    with (folder / "calls").open("ab", buffering=0) as calls:
        calls.write(f"{token} {idempotency_key}\n".encode())
        os.fsync(calls.fileno())
    if troubled:
        raise TimeoutError("the provider did not answer in time")
    return "done"
