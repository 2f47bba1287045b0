"""No commit, append, acknowledgement or provider call is without a failpoint. The sources are read, not remembered."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from eventbus import failpoints
from eventbus.backends.kafka import backend  # noqa: F401  # it declares points of its own

ROOT = Path(__file__).resolve().parents[2]
# The bus, and the part of the shop that calls the payment provider.
SOURCES = sorted(
    path
    for folder in ("eventbus", "mcommerce/payment")
    for path in (ROOT / folder).rglob("*.py")
    if not {"migrations", "sandbox", "testing"} & set(path.parts) and path.name not in {"failpoints.py", "testing.py"}
)
# Calls after which the world is another: by the name of what is called, and of the method.
CROSSINGS = {
    "backend": {"append"},
    "consumer": {"commit"},
    "producer": {"produce"},
    "client": {"commit", "seek", "incremental_assign", "incremental_unassign"},  # librdkafka's, of a reader
    "provider": {"create_session", "fetch_session", "expire_session", "refund"},
    "effects": {"ask"},
}
# Of those, where dying before is one story and dying after another: a point on either side. The others' second point is
# where their answer comes in.
BOTH_SIDES = {("consumer", "commit"), ("client", "commit"), ("effects", "ask")} | {
    ("provider", method) for method in CROSSINGS["provider"]
}
WITHOUT = {
    "eventbus/progress/groups.py::forgive": "after an infrastructure error: only a wrong count of a death is lost",
    "eventbus/audit/delivery_audit.py::snapshot": "it only reads",
    "eventbus/backends/kafka/reading/consumer.py::_grow": "without a group it keeps nothing: who dies begins anew",
    "eventbus/consuming/outbox_backfill.py::_know": "only where the log dropped records: the next worker looks again",
    "eventbus/consuming/outbox_backfill.py::_close": "likewise, and nothing lies between the two offsets",
    "eventbus/progress/partition_epochs.py::note_loss": "who dies before it reads the record again, and notes it then",
    "eventbus/recovery/topic_recovery.py::lost": "only where a log lost something: no day of the sweep must pass it",
    "eventbus/recovery/topic_recovery.py::_adopt": "once, where a site comes from brokers: the next one does it again",
    "eventbus/recovery/topic_recovery.py::look": "only where a log was to be refilled when its site left",
    "eventbus/failures/parking.py::dead_letter": "a savepoint in the worker's transaction, which has points of its own",
    "eventbus/repairs/redelivery.py::_some": "an operator's command: done or not, and asked again",
    "eventbus/consuming/ignored_types.py::forget": "likewise: who dies in it is asked again",
    "eventbus/repairs/untrusted_records.py::dismiss": "likewise",
    "eventbus/admin/model_admin.py::delete_selected": "likewise",
    "eventbus/operations/pausing.py::close_breaker": "likewise",
    "eventbus/operations/pausing.py::close_service": "likewise",
    "eventbus/selections/bulk_runs.py::_store": "likewise",
    "eventbus/selections/bulk_runs.py::begin": "likewise",
    "eventbus/selections/skips.py::begin": "likewise",
    "eventbus/operations/log_levels.py::set_level": "likewise",
    "eventbus/operations/log_levels.py::end": "likewise",
    "eventbus/repairs/dry_runs.py::begin": "likewise",
    "eventbus/repairs/dry_runs.py::stop": "likewise",
    "eventbus/repairs/dry_runs.py::go_on": "likewise",
    "eventbus/recovery/divergence.py::stand_still": "one row: who dies before it notes the same record again",
    "eventbus/repairs/restore_repair.py::apply": "an operator's command: done or not, and asked again",
    "eventbus/operations/pruning.py::_foreign_letters": "one statement: what is left goes at the next pruning",
    "eventbus/backends/kafka/other_sites.py::_database": "it only reads",
    "mcommerce/payment/services/refunds.py::_ask_for": "it asks by the number that payment.refund.claim has committed",
    "mcommerce/payment/services/repairs.py::adopt": "reconcile compares again, so who dies in it is told of the rest",
    "mcommerce/payment/services/repairs.py::give_back_second": "likewise",
    "mcommerce/payment/services/repairs.py::mark": "likewise",
    "mcommerce/payment/services/repairs.py::send_back": "likewise",
    "mcommerce/payment/services/repairs.py::tell_refund": "likewise",
    "mcommerce/payment/services/repairs.py::tell_success": "likewise",
    "mcommerce/payment/services/payments.py::open_payment": "in the transaction of handle.single or handle.batch",
    "mcommerce/payment/services/payments.py::cancel_payment": "in the transaction of handle.single or handle.batch",
    "mcommerce/payment/services/payments.py::close_payment": "in the transaction of handle.single or handle.batch",
    "mcommerce/payment/services/payments.py::settle_session": "in the transaction of payment.webhook",
}


class Place(NamedTuple):
    """A function that does something after which the world is another, and whether it has the points that it needs."""

    name: str
    has_point: bool


def test_every_crossing_has_a_point_or_a_reason() -> None:
    bare = {place.name for path in SOURCES for place in places(path) if not place.has_point}

    assert bare - WITHOUT.keys() == set(), "give them a point (eventbus/failpoints.py), or a reason in WITHOUT"
    assert WITHOUT.keys() - bare == set(), "these have points now, or are gone"


def test_every_declared_point_is_at_one_place_and_no_other_is_passed() -> None:
    passed = Counter(name for path in SOURCES for name in names(path))

    assert set(passed) == set(failpoints.points)
    assert [name for name, times in passed.items() if times > 1 and name not in {"handler.call", "handler.done"}] == []


def places(path: Path) -> Iterator[Place]:
    where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    for function in functions(path):
        hits = [node.lineno for node in attributes(function) if dotted(node) == "failpoints.hit"]
        for node in attributes(function):
            match dotted(node).lstrip("_").split("."):
                case ["transaction", "atomic"] | ["atomic"]:
                    yield Place(f"{where}::{function.name}", False)
                case [owner, method] if method in CROSSINGS.get(owner, ()):
                    before, after = min(hits, default=node.lineno) < node.lineno, max(hits, default=0) > node.lineno
                    wanted = (before and after) if (owner, method) in BOTH_SIDES else before
                    yield Place(f"{where}::{function.name}", wanted)


def names(path: Path) -> Iterator[str]:
    """Every point that a file's calls name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = str(node.args[0].value)
            if dotted(node.func) == "failpoints.hit":
                yield name
            elif dotted(node.func) == "failpoints.atomic":
                yield from (f"{name}.commit", f"{name}.committed")


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def attributes(function: ast.FunctionDef) -> list[ast.Attribute | ast.Name]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Attribute | ast.Name)]


def dotted(node: ast.AST) -> str:
    """`backend.append` for backend.append as for self._backend.append, `atomic` for itself; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if not isinstance(node, ast.Attribute):
        return ""
    owner = node.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return f"{name}.{node.attr}"
