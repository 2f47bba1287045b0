"""Every kind of fault there is, and which of them can be done here."""

from tests.chaos import (
    disk_faults,
    faults,
    kafka_tool_faults,
    link_faults,
    poison_faults,
    restore_faults,
    upgrade_fault,
)
from tests.chaos.servers import Servers
from tests.chaos.shop import faults as of_the_shop

OF_THE_TOWN: dict[str, faults.Fault] = {
    **faults.KINDS,
    **link_faults.KINDS,
    **disk_faults.KINDS,
    **poison_faults.KINDS,
    **kafka_tool_faults.KINDS,
    **restore_faults.KINDS,
    **upgrade_fault.KINDS,
}
KINDS: dict[str, faults.Fault] = {**OF_THE_TOWN, **of_the_shop.KINDS}
# Each lasts as long as four others, and has a calm day of its own in each test run.
LONG = {**restore_faults.KINDS, **upgrade_fault.KINDS}
# What is timed, from a call to its answer's reader, flows on while these last.
ASIDE = {
    *of_the_shop.KINDS,
    *poison_faults.KINDS,
    *kafka_tool_faults.KINDS,
    "publisher killed",
    "publisher stopped",
    "provider in trouble",
}


def left_out(servers: Servers) -> dict[str, str]:
    """Those that cannot be done here, and why."""
    if servers.database_disk and servers.broker_disk:
        return {}
    return dict.fromkeys(disk_faults.KINDS, "no file system may be mounted here")


def drawn(servers: Servers, *, shop: bool, long: bool = True) -> list[str]:
    """The kinds that a run draws from, with the shop or without, and with those that take long or without."""
    without = {*left_out(servers), *(() if long else LONG)}
    return [name for name in (KINDS if shop else OF_THE_TOWN) if name not in without]
