"""The bus's clock for timers, retries and time limits. Tests hold it still and move it."""

import time
from datetime import UTC, datetime, timedelta

_held: datetime | None = None


def now() -> datetime:
    """Return the current time, aware and in UTC."""
    return _held or datetime.now(UTC)


def monotonic() -> float:
    """Return seconds since an unspecified moment, to measure durations. A held clock returns the same value again."""
    return time.monotonic() if _held is None else _held.timestamp()


def hold(at: datetime | None) -> None:
    """Stop the clock at a time, or let it run again with None. For tests."""
    global _held
    _held = at and at.astimezone(UTC)


def advance(**by: float) -> None:
    """Move a held clock forward by keyword arguments of timedelta, such as minutes=31. For tests."""
    if _held is None:
        raise RuntimeError("The clock is running: use the bus_clock fixture to hold it first")
    hold(_held + timedelta(**by))
