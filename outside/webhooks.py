"""The signature of the webhooks that the site sends, by which a receiver knows who posted one, and when."""

import hashlib
import hmac

SIGNATURE_HEADER = "Mcommerce-Signature"


def sign(body: bytes, *, secret: str, at: int) -> str:
    """Return the signature header of `body`, sent at `at` (seconds since 1970): HMAC-SHA256 over "<at>.<body>"."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
