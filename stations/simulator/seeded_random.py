"""Random numbers in [0, 1) that depend only on their arguments, the same in every process and on every machine."""

from hashlib import blake2b

_WHOLE = 2**64


def chance(*about: object) -> float:
    """Return a number in [0, 1), always the same for the same `about`, unrelated for any other."""
    said = ":".join(map(str, about)).encode()
    return int.from_bytes(blake2b(said, digest_size=8).digest()) / _WHOLE
