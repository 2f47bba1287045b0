"""The signature of what the relay puts into a log that others can reach: a record of ours is told from a forged one.

It covers the topic, the partition, the key, every attribute and the payload, so that nothing of it fits another record.
A record that is copied whole lies behind its original and has the same id: the inbox drops it.
"""

from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest

from django.conf import settings

ATTRIBUTE = "signature"  # a CloudEvents extension attribute, as ce_signature in Kafka's headers
SIGNATURE_BYTES = 24  # nobody guesses 192 bits; as text 48 characters a record
KEY_BYTES = 64  # the longest key that BLAKE2b takes
PURPOSE = b"eventbus.records"  # the site's secret signs sessions and links as well: no signature of one is another's


def sign(place: str, key: str, headers: str, payload: bytes) -> str:
    """The signature by the newest key, at a `place`: topic/partition.

    `headers` are the attributes as JSON, in the order in which they are sent.
    """
    return _signature(_keys()[0], _signed(place, key, headers, payload))


def is_signed(signature: str, place: str, key: str, headers: str, payload: bytes) -> bool:
    """Whether one of the site's keys made that signature of these."""
    if len(signature) != 2 * SIGNATURE_BYTES or not signature.isascii():
        return False
    told = _signed(place, key, headers, payload)
    return any(compare_digest(signature, _signature(one, told)) for one in _keys())


def _signed(place: str, key: str, headers: str, payload: bytes) -> bytes:
    """All of it in one text. None of the first three can hold U+0000, so that no two records have the same."""
    return f"{place}\0{key}\0{headers}\0".encode("utf-8", "replace") + payload


def _signature(begun: blake2b, told: bytes) -> str:
    signature = begun.copy()
    signature.update(told)
    return signature.hexdigest()


def _keys() -> tuple[blake2b, ...]:
    """Signatures begun with each key, the newest first; those after it only verify."""
    named = settings.EVENTBUS.get("SIGNING_KEYS") or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return _derived(tuple(named))


@lru_cache(maxsize=4)
def _derived(secrets: tuple[str, ...]) -> tuple[blake2b, ...]:
    return tuple(blake2b(key=_key(one), digest_size=SIGNATURE_BYTES) for one in secrets)


def _key(secret: str) -> bytes:
    return blake2b(secret.encode(), digest_size=KEY_BYTES, person=PURPOSE).digest()
