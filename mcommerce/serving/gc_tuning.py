"""Tuning of Python's garbage collector, for a process that holds sockets.

At each tick every socket creates and frees a few objects. With Python's default thresholds that alone starts a full
collection every few seconds. With 1,000 sockets a full collection takes 0.15 s, and nothing is sent meanwhile.
Collections also cost a quarter as much as the frames themselves.
"""

import gc

YOUNG_MAX = 20_000  # live objects before a young collection: room for a tick of 4,000 sockets
# Every third collection includes the next older generation: garbage may wait for 180,000 objects, 40 MB.
ROUNDS_MAX = 2


def settle() -> None:
    """Set the thresholds. Call it once everything is loaded: objects that exist by then are never scanned again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, ROUNDS_MAX, ROUNDS_MAX)
