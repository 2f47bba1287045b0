"""Python's collector of reference cycles, in a process that holds sockets.

At each tick every socket makes a few objects and lets go of them again. With the limits that Python starts with, that
alone has all objects of the process looked at every few seconds, and meanwhile nobody is told anything: 0.15 s with
1,000 sockets. It also costs a quarter of what a frame costs.
"""

import gc

YOUNG_MAX = 20_000  # made and not let go of, before the young are looked at: room for a tick of 4,000 sockets
# The older are looked at at each third time of the younger: what left may lie about for 180,000 objects, 40 MB.
ROUNDS_MAX = 2


def settle() -> None:
    """Call once all is loaded: what is there now is never looked at again, what is made later far less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, ROUNDS_MAX, ROUNDS_MAX)
