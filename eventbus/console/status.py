"""`status`: show the state of the bus."""

from datetime import datetime
from typing import Any

import msgspec
from django.core.management.base import CommandError

from eventbus.audit import delivery_audit
from eventbus.audit.delivery_audit import DeliveryAudit
from eventbus.console import Actions, Printer, printable
from eventbus.database.storable_text import TIME, ranged
from eventbus.operations import status as bus_status
from eventbus.operations.group_status import GroupStatus
from eventbus.operations.heartbeats import ProcessStatus
from eventbus.operations.pausing import Standstill
from eventbus.operations.status import Status
from eventbus.repairs import untrusted_records

GROUP_COLUMNS = (
    *("group", "topic", "offset", "end", "lag", "handled", "ignored", "discarded"),
    *("retrying_keys", "dead_keys", "dead_letters", "waiting_seconds"),
)

PROCESS_COLUMNS = ("process", "host", "pid", "state", "since", "last sign of life")
READS_COLUMNS = ("process", "host", "pid", "group", "reads")
LEDGER_COLUMNS = (
    *("group", "topic", "published", "handled", "ignored", "skipped", "discarded", "dead", "parked", "pending"),
    "balance",
)


def add(actions: Actions) -> None:
    """Add the action."""
    asked = actions.add(
        "status", status, "outbox, timers, groups, leases and delivery audit; 1 when something is wrong"
    )
    asked.add_argument("--no-audit", action="store_true", help="at once: do not count the whole outbox")


def status(*, printer: Printer, json: bool, no_audit: bool, **options: Any) -> None:
    """Print the state. Raises CommandError with the problems, so that the exit code shows them."""
    found, dispatches = bus_status.status(patient=True), bus_status.is_dispatched()
    counted = None if no_audit else delivery_audit.read()
    wrong: list[str] = [*bus_status.problems(found, dispatches=dispatches)]
    wrong += delivery_audit.problems(counted) if counted else []
    strange = untrusted_records.counts()
    if json:
        told = {**msgspec.structs.asdict(found), "audit": counted}
        told["leases"] = bus_status.leases()
        printer.json({**told, "untrusted": strange, "dispatches": dispatches, "problems": [str(one) for one in wrong]})
    else:
        _print_status(printer, found, dispatches)
        if counted:
            _print_audit(printer, counted)
        for group, count in strange.items():
            printer.line(f"set aside as untrusted, {group}: {count}")
    if wrong:
        raise CommandError("\n".join(map(printable, wrong)))


def _print_status(printer: Printer, found: Status, dispatches: bool) -> None:
    oldest = f", the oldest {found.outbox.oldest_seconds:.1f} s old" if found.outbox.oldest_at else ""
    due = f", the next due {found.timers.next_due:%Y-%m-%d %H:%M:%S} UTC" if found.timers.next_due else ""
    printer.line(f"outbox: {found.outbox.depth} unsent{oldest}")
    if found.outbox.rejected:
        printer.line(
            f"rejected by the log: {found.outbox.rejected}, with {found.outbox.behind} later events behind them"
        )
    printer.line(f"timers: {found.timers.count}{due}")
    printer.line(f"dispatched: {'yes' if dispatches else 'no'}\n\n")
    printer.table(GROUP_COLUMNS, [_cells(one) for one in found.groups])
    for still in found.standstills:
        _print_standstill(printer, still)
    for ignored in found.ignored_types:
        printer.line(
            f"{ignored.group} ignored {ignored.events} events of {printable(ignored.type)}, unknown to its release"
        )
    printer.line()
    leases = [(one.name, one.owner or "nobody", one.beat, one.epoch) for one in bus_status.leases()]
    printer.table(("lease", "owner", "beat", "epoch"), leases)
    printer.line()
    printer.table(PROCESS_COLUMNS, [_process_cells(one, found.at) for one in found.processes])
    reads = [
        (one.role, one.host, one.pid, group, ranged(partitions))
        for one in found.processes
        for group, partitions in one.assignment.items()
    ]
    if reads:
        printer.line()
        printer.table(READS_COLUMNS, reads)


def _process_cells(one: ProcessStatus, now: datetime) -> list[Any]:
    ago = f"{(now - one.beat_at).total_seconds():.0f} s ago"
    seen = f"SILENT, {ago}" if one.silent else ago
    return [one.role, one.host, one.pid, one.state, f"{one.began_at:{TIME}}", seen]


def _print_standstill(printer: Printer, one: Standstill) -> None:
    if one.paused_at is not None:
        printer.line(f"{one.group} is paused since {one.paused_at:{TIME}} by {printable(one.paused_by)}")
    if one.breaker_opened_at is not None:
        printer.line(
            f"The circuit breaker of {one.group} is open since {one.breaker_opened_at:{TIME}}: "
            f"{printable(one.breaker_reason)}"
        )


def _print_audit(printer: Printer, counted: DeliveryAudit) -> None:
    printer.line("\n")
    rows = [[getattr(one, name) for name in LEDGER_COLUMNS] for one in counted.accounts]
    printer.table(LEDGER_COLUMNS, rows)
    apart = {
        "rejected by the log": counted.rejected,
        "withdrawn": counted.withdrawn,
        "from elsewhere": counted.foreign,
        "replayed": counted.replayed,
    }
    for what, counts in apart.items():
        for name, count in sorted(counts.items()):
            printer.line(f"{what}, {name}: {count}")
    for one in counted.earlier:
        printer.line(
            f"ignored before group {one.group} handled them: {one.events} of {one.type}. "
            f"To have them handled: manage.py eventbus redeliver {one.group} --type {one.type}"
        )


def _cells(one: GroupStatus) -> list[Any]:
    told = {**msgspec.structs.asdict(one), "waiting_seconds": round(one.waiting_seconds)}
    return ["?" if told[name] is None else told[name] for name in GROUP_COLUMNS]
