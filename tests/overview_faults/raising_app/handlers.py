import os
from pathlib import Path

from eventbus import Permanent, handles
from mcommerce.events import OrderPlaced

GROUP = "raising"
FAULT = Path(os.environ.get("RAISING_FILE", "/nonexistent"))


@handles(OrderPlaced, group=GROUP)
def count_order(event: OrderPlaced) -> None:
    """Fail as the file says: "once" for an error that is tried again, "for good" for one that is not."""
    if FAULT.exists():
        text = "a release that cannot read this order"
        raise Permanent(text) if FAULT.read_text() == "for good" else KeyError(text)
