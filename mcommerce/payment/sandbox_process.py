"""The start of the stand-in payment provider, as the settings describe it."""

from urllib.parse import urlsplit

from django.conf import settings

from mcommerce.payment.sandbox import SandboxProvider, serve


def start_sandbox_provider(*, host: str | None = None, port: int | None = None) -> SandboxProvider:
    """Serve the stand-in from threads of this process, at settings.SANDBOX_PROVIDER_URL.

    Raises OSError if the port is taken.
    """
    address = urlsplit(settings.SANDBOX_PROVIDER_URL)
    return serve(
        host or address.hostname or "127.0.0.1",
        address.port or 80 if port is None else port,
        public_url=settings.SANDBOX_PROVIDER_URL,
        ledger_path=settings.VAR_DIR / "sandbox-provider.sqlite3",
        api_key=settings.SANDBOX_PROVIDER_KEY,
        webhook_secret=settings.SANDBOX_WEBHOOK_SECRET,
    )
