"""Mistakes of the delivery audit: it says that all is well, or leaves a state out."""

from collections.abc import Iterator
from typing import Any

import msgspec

from eventbus.audit import delivery_audit
from tests.simulation.mistakes.mistake import Promise, Right, mistake


@mistake(delivery_audit._account, breaks=Promise.VISIBLE, noticed_by=["each_event_is_counted_in_its_place"])
def the_audit_forgets_parked_events(right: Right, *given: Any) -> Any:
    found = right(*given)
    return msgspec.structs.replace(found, parked=0, balance=found.balance + found.parked)


@mistake(
    delivery_audit._violations,
    breaks=Promise.VISIBLE,
    noticed_by=["an_event_that_was_never_handled_nor_ignored_is_lost", "a_offset_moved_forward_is_named"],
)
def the_audit_overlooks_lost_events(right: Right, *given: Any) -> Iterator[Any]:
    return (one for one in right(*given) if one.what != delivery_audit.LOST)
