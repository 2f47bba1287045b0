"""Sign records for a log that others can reach, and verify signatures, so that forged records are detected.

A signature covers the topic, the partition, the key, every attribute and the payload, so it fits no other record. A
copy of a whole record lies behind its original and has the same event id, so the inbox drops it.
"""

from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest

from django.conf import settings

ATTRIBUTE = "signature"  # a CloudEvents extension attribute, as ce_signature in Kafka's headers
SIGNATURE_BYTES = 24  # 192 bits cannot be guessed; as text they take 48 characters of each record
KEY_BYTES = 64  # the longest key that BLAKE2b takes
PURPOSE = b"eventbus.records"  # the site's secret also signs sessions and links: their signatures must not fit records


def sign(partition: str, key: str, headers: str, payload: bytes) -> str:
    """Return a record's signature, made with the newest signing key.

    `partition` is "topic/partition", `key` the record's key. `headers` are the attributes as JSON, in the order in
    which they are sent.
    """
    return _signature(_keys()[0], _signed(partition, key, headers, payload))


def is_signed(signature: str, partition: str, key: str, headers: str, payload: bytes) -> bool:
    """Return True if one of the site's keys made that signature of these values."""
    if len(signature) != 2 * SIGNATURE_BYTES or not signature.isascii():
        return False
    signed = _signed(partition, key, headers, payload)
    return any(compare_digest(signature, _signature(one, signed)) for one in _keys())


def _signed(partition: str, key: str, headers: str, payload: bytes) -> bytes:
    """Return the bytes that are signed.

    None of the three texts can hold U+0000, so no two records give the same bytes.
    """
    return f"{partition}\0{key}\0{headers}\0".encode("utf-8", "replace") + payload


def _signature(begun: blake2b, signed: bytes) -> str:
    signature = begun.copy()
    signature.update(signed)
    return signature.hexdigest()


def _keys() -> tuple[blake2b, ...]:
    """Return a keyed hash for each signing key, the newest first. Only the newest signs, and all verify."""
    named = settings.EVENTBUS.get("SIGNING_KEYS") or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return _derived(tuple(named))


@lru_cache(maxsize=4)
def _derived(secrets: tuple[str, ...]) -> tuple[blake2b, ...]:
    return tuple(blake2b(key=_key(one), digest_size=SIGNATURE_BYTES) for one in secrets)


def _key(secret: str) -> bytes:
    return blake2b(secret.encode(), digest_size=KEY_BYTES, person=PURPOSE).digest()
