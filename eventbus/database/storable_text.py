"""Make text from elsewhere fit for databases and readers."""

import json
from collections.abc import Iterable

TIME = "%Y-%m-%d %H:%M:%S UTC"  # the format of times that operators read
ERROR_CHARACTERS_MAX = 8_000  # of an error's text and of a traceback, so that a row stays small; both ends are kept


def readable(payload: bytes | memoryview) -> str:
    """Return a payload for readers: indented when it is JSON, else its bytes with escapes. Plain text, not HTML."""
    try:
        text = json.dumps(json.loads(bytes(payload)), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return repr(bytes(payload))[2:-1]
    return text.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """Return a text that any database keeps: NUL and lone surrogates escaped, the middle cut out when it is long."""
    safe = text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    half = ERROR_CHARACTERS_MAX // 2
    return safe if len(safe) <= ERROR_CHARACTERS_MAX else f"{safe[: half - 5]}\n...\n{safe[-half:]}"


def ranged(partitions: Iterable[str]) -> str:
    """Return partitions as "orders/0" in their order, and consecutive ones of a topic as "orders/0-3"."""
    runs: list[list[tuple[str, int]]] = []  # each run as its first and its last partition
    for topic, _, number in (one.rpartition("/") for one in partitions):
        partition = topic, int(number)
        if runs and runs[-1][1] == (topic, partition[1] - 1):
            runs[-1][1] = partition
        else:
            runs.append([partition, partition])
    told = ((topic, first, last) for (topic, first), (_, last) in runs)
    return ", ".join(f"{topic}/{first}" if first == last else f"{topic}/{first}-{last}" for topic, first, last in told)
