"""Webhooks: signed events, sent to the shop and retried until it accepts them."""

import hashlib
import hmac
import http.client
import logging
import threading
import urllib.request
from typing import Any

from mcommerce.payment.sandbox import sessions
from mcommerce.payment.sandbox.provider_books import Ledger

logger = logging.getLogger(__name__)

SIGNATURE_HEADER = "Sandbox-Signature"
TIMEOUT_SECONDS = 10  # a shop that needs longer is called again later
IDLE_SECONDS = 0.5  # how long a new event may wait when nothing wakes us
BATCH_MAX = 50  # events taken from the ledger at once
# The wait after each failure. After the last one the event is given up; the shop can still query it.
BACKOFF_SECONDS = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 3600, 3600)


def sign(body: bytes, *, secret: str, at: int) -> str:
    """Return the signature header of `body`, sent at `at` (seconds since 1970): HMAC-SHA256 over "<at>.<body>"."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class WebhookSender:
    """A thread that sends due events, one at a time, and lets sessions expire on time."""

    def __init__(self, ledger: Ledger, *, secret: str) -> None:
        self._ledger = ledger
        self._secret = secret
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox-webhooks", daemon=True)
        # Use no proxy of the environment, since the shop is on this machine; a webhook follows no redirect.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look for due events now."""
        self._wake.set()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join(TIMEOUT_SECONDS + 1)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(IDLE_SECONDS)
            self._wake.clear()
            try:
                self._send_due()
            except Exception:  # one bad row or a locked file must not end the thread: log, and retry
                logger.exception("Could not send webhooks")

    def _send_due(self) -> None:
        now = self._ledger.now()
        with self._ledger.transaction() as db:
            sessions.expire_due(db, now=now, limit=BATCH_MAX)
            due = db.execute(
                "SELECT * FROM delivery WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at LIMIT ?",
                (now, BATCH_MAX),
            ).fetchall()
        for delivery in due:
            if self._closing.is_set():
                return
            sent_at = self._ledger.now()
            self._record(delivery, sent_at, heard=self._send(delivery, sent_at))

    def _send(self, delivery: Any, sent_at: float) -> bool:
        body = delivery["body"].encode()
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: sign(body, secret=self._secret, at=int(sent_at)),
        }
        request = urllib.request.Request(delivery["url"], data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS):
                return True
        except (OSError, http.client.HTTPException) as error:
            logger.info("Webhook %s was not heard: %s", delivery["id"], error)
            return False

    def _record(self, delivery: Any, sent_at: float, *, heard: bool) -> None:
        tries = delivery["tries"] + 1
        wait = BACKOFF_SECONDS[min(tries, len(BACKOFF_SECONDS)) - 1]
        state = "delivered" if heard else "given_up" if tries > len(BACKOFF_SECONDS) else "waiting"
        with self._ledger.transaction() as db:
            db.execute(
                "UPDATE delivery SET tries = ?, state = ?, due_at = ? WHERE id = ?",
                (tries, state, sent_at + wait, delivery["id"]),
            )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None
