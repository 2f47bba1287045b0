"""A stand-in for a payment company: its own server, its own ledger, its own pages, and no Django.

The shop talks to it as it would to a real one: over HTTP, with a key, and through signed webhooks. Card numbers are
typed on its pages only, so they never reach the shop; it keeps the last four digits and nothing else. Only the test
cards that its page lists can pay, and no money moves.
"""

from mcommerce.payment.sandbox.server import SandboxProvider, serve
from mcommerce.payment.sandbox.webhooks import sign

__all__ = ["SandboxProvider", "serve", "sign"]
