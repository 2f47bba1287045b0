"""Differences on the bus: dead letters, some of orders that do not exist here, and problems of the delivery audit."""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from eventbus.audit import delivery_audit
from eventbus.models import DeadLetter
from eventbus.operations import status
from mcommerce.orders.services import reconciliation as orders
from mcommerce.reconcile.difference import Difference

KEYED_BY_ORDER = ("orders", "payment", "stock")  # topics whose keys are orders' ids
AUDIT_REMEDY = "see docs/operations.md, When the delivery audit does not balance"
LETTERS_AT_ONCE = 500  # dead letters in memory at a time


def differences(*, who: str) -> Iterator[Difference]:
    """Yield dead letters that await a decision, and the problems that the delivery audit finds."""
    last = 0
    while letters := list(status.dead().filter(id__gt=last, request=DeadLetter.Request.NONE)[:LETTERS_AT_ONCE]):
        named = {letter.id: order_id for letter in letters if (order_id := _order_id(letter))}
        there = orders.of(set(named.values()))
        for letter in letters:
            yield _dead(letter, named.get(letter.id), is_here=named.get(letter.id) in there, who=who)
        last = letters[-1].id
    for problem in delivery_audit.problems(delivery_audit.read()):
        yield Difference(name="audit", what=problem, remedy=AUDIT_REMEDY)


def _dead(letter: DeadLetter, order_id: UUID | None, *, is_here: bool, who: str) -> Difference:
    what = f"{letter.type} died in group {letter.group}: {letter.error_class}"
    if order_id is not None and not is_here:
        discard = partial(status.request_discard, letter, who)
        return Difference(
            name="dead-letter-without-order", what=what, remedy="discard it", repair=discard, order_id=order_id
        )
    remedy = "mend what failed, then manage.py eventbus requeue or discard"
    return Difference(name="dead-letter", what=what, remedy=remedy, order_id=order_id)


def _order_id(letter: DeadLetter) -> UUID | None:
    if letter.topic not in KEYED_BY_ORDER:
        return None
    try:
        return UUID(letter.key)
    except ValueError:
        return None
