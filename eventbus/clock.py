"""The bus's clock: what time it is for timers and retries. Tests hold it still and move it (`eventbus.testing`)."""

from datetime import UTC, datetime, timedelta

_held: datetime | None = None


def now() -> datetime:
    """The current time, aware and in UTC."""
    return _held or datetime.now(UTC)


def hold(at: datetime | None) -> None:
    """Stop the clock at a time, or let it run again with None. For tests."""
    global _held
    _held = at and at.astimezone(UTC)


def advance(**by: float) -> None:
    """Move a held clock forward by keyword arguments of timedelta, such as minutes=31. For tests."""
    if _held is None:
        raise RuntimeError("The clock is running: use the bus_clock fixture to hold it first")
    hold(_held + timedelta(**by))
