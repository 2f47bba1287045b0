"""A stand-in for a payment provider: its own server, its own ledger, its own pages, and no Django.

The shop uses it as it would a real one: over HTTP, with a key, and through signed webhooks. Shoppers type card numbers
only on the stand-in's pages, so the numbers never reach the shop. The stand-in stores the last four digits and no more
of the number. Only the test cards that its page lists can pay, and no money moves.
"""

from mcommerce.payment.sandbox.server import SandboxProvider, serve
from mcommerce.payment.sandbox.webhooks import sign

__all__ = ["SandboxProvider", "serve", "sign"]
