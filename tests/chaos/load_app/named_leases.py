"""Leases that tell which process holds them, so that the one that leads can be chosen."""

import os
from typing import Any

from eventbus.database.leases import Lease


def name_leases() -> None:
    """Every lease of this process is owned under its process id."""
    make = Lease.__init__

    def named(self: Lease, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        self.owner = f"process {os.getpid()}"

    Lease.__init__ = named  # type: ignore[method-assign]
