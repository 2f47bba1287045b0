"""`python -m tests.chaos.shop.company`: the sandbox provider, whose answers that are lost come in a run's time."""

from urllib.parse import urlsplit

import django

# The card whose answer is lost: fast enough that its order is still waiting, if nothing else goes wrong.
HOLD_SECONDS, ANSWERS_LOST, LATE_WEBHOOK_SECONDS = 1.0, 2, 6.0


def open_for_business() -> None:
    """Serve until killed."""
    from django.conf import settings

    from mcommerce.payment.sandbox import serve

    address = urlsplit(settings.SANDBOX_PROVIDER_URL)
    serve(
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
