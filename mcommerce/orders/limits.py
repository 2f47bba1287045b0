"""Rate limits on orders, sockets and mails, which cost the shop or somebody else something."""

from uuid import UUID

from django.core.cache import cache

from mcommerce.rate_limits.rate_limit import RateLimit
from mcommerce.rate_limits.visitor_identity import keyed_hash, mailbox_of

CHECKOUT_SECONDS = 600
# Orders per person in ten minutes. A robot would flood the admin, and each order reserves pieces.
CHECKOUTS_PER_CUSTOMER = RateLimit("checkout-customer", 20, CHECKOUT_SECONDS)
CHECKOUTS_PER_NETWORK = RateLimit("checkout-network", 60, CHECKOUT_SECONDS)  # an office behind one address

# A minute. Sixty pages of an office reconnect at once after a restart; nobody tries out ids at this pace.
ORDER_SOCKETS_PER_NETWORK = RateLimit("order-socket", 180, 60)

# Anybody may type another person's address and not pay. So an address gets one mail about unpaid orders in this time.
UNPAID_MAIL_SECONDS = 24 * 3_600


def is_first_unpaid_mail(email: str, order_id: UUID) -> bool:
    """Return whether the address may get a mail about this unpaid order: only the first order within a day has one.

    A repeat for that same order may get it too.
    """
    key = f"unpaid-mail:{keyed_hash(mailbox_of(email))}"
    return cache.get_or_set(key, str(order_id), UNPAID_MAIL_SECONDS) == str(order_id)
