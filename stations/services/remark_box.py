"""The remark box of the stations: open to everybody, until staff close it."""

from datetime import datetime

from stations.models import RemarkBox


class RemarksClosed(Exception):
    """Staff have closed the remark box."""


def is_open() -> bool:
    """Return True unless staff have closed the box."""
    return not RemarkBox.objects.filter(is_open=False).exists()


def switch(*, to_open: bool, now: datetime) -> RemarkBox:
    """Open or close the box."""
    box, _ = RemarkBox.objects.update_or_create(pk=RemarkBox.ONLY, defaults={"is_open": to_open, "changed_at": now})
    return box
