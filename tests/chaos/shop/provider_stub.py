"""`python -m tests.chaos.shop.provider_stub`: the sandbox provider, with webhooks that go wrong on request.

The file CHAOS_FOLDER/webhooks says how: `duplicated`, each is told twice; `late`, each is told seconds after it was
due; `reversed`, a decline is told after what follows it, and every other one after the next. CHAOS_FOLDER/mischief gets
a line for each.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

from mcommerce.payment.sandbox import server
from mcommerce.payment.sandbox.webhooks import WebhookSender

# The card whose answer is lost: fast enough that its order is still waiting, if nothing else goes wrong.
HOLD_SECONDS, ANSWERS_LOST, LATE_WEBHOOK_SECONDS = 1.0, 2, 6.0
LATE_TRIES = 2  # of the company's own tries that do not leave: three seconds
REVERSED_TRIES = 4  # a decline comes at last, even if no other card is tried: after eighteen seconds
MOODS = ("duplicated", "late", "reversed")


class BadlyTold(WebhookSender):
    """Tells webhooks as the file says."""

    folder: Path
    _turn = False

    def _send(self, delivery: Any, sent_at: float) -> bool:
        mood = self._mood()
        if self._held_back(delivery, mood):
            self._note(mood, delivery)
            return False
        heard = super()._send(delivery, sent_at)
        if heard and mood == "duplicated":
            self._note(mood, delivery)
            return super()._send(delivery, sent_at)
        return heard

    def _held_back(self, delivery: Any, mood: str) -> bool:
        """Not told this time: the company tries again, as if the shop had not heard."""
        if mood == "late":
            return bool(delivery["tries"] < LATE_TRIES)
        if mood == "reversed" and "session.declined" in delivery["body"]:
            return bool(delivery["tries"] < REVERSED_TRIES)
        self._turn = not self._turn
        return mood == "reversed" and self._turn and not delivery["tries"]

    def _mood(self) -> str:
        try:
            return (self.folder / "webhooks").read_text()
        except FileNotFoundError:
            return ""

    def _note(self, mood: str, delivery: Any) -> None:
        with (self.folder / "mischief").open("a") as file:
            file.write(f"{mood} {delivery['id']}\n")


def open_for_business() -> None:
    """Serve until killed."""
    from django.conf import settings

    BadlyTold.folder = Path(os.environ["CHAOS_FOLDER"])
    server.WebhookSender = BadlyTold  # type: ignore[misc]
    address = urlsplit(settings.SANDBOX_PROVIDER_URL)
    server.serve(
        address.hostname or "127.0.0.1",
        address.port or 80,
        ledger_path=settings.VAR_DIR / "sandbox-provider.sqlite3",
        api_key=settings.SANDBOX_PROVIDER_KEY,
        webhook_secret=settings.SANDBOX_WEBHOOK_SECRET,
        hold_seconds=HOLD_SECONDS,
        answers_lost=ANSWERS_LOST,
        late_webhook_seconds=LATE_WEBHOOK_SECONDS,
    ).wait()


if __name__ == "__main__":
    django.setup()
    open_for_business()
