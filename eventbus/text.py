"""Foreign text, made fit for databases and eyes."""

import json

ERROR_CHARACTERS_MAX = 8_000  # of an error and of a traceback: the ends tell, and a row stays a row


def readable(payload: bytes | memoryview) -> str:
    """A payload for human eyes: indented when it is JSON, else its bytes with escapes. Plain text, not HTML."""
    try:
        text = json.dumps(json.loads(bytes(payload)), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return repr(bytes(payload))[2:-1]
    return text.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    """What any database keeps: NUL and lone surrogates escaped, the middle cut out when it is long."""
    safe = text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
    half = ERROR_CHARACTERS_MAX // 2
    return safe if len(safe) <= ERROR_CHARACTERS_MAX else f"{safe[: half - 5]}\n...\n{safe[-half:]}"
