"""How often one visitor may do what costs the shop, or somebody else, something."""

from uuid import UUID

from django.core.cache import cache

from mcommerce.rate_limits.limits import RateLimit
from mcommerce.rate_limits.visitors import keyed_hash, mailbox_of

CHECKOUT_SECONDS = 600
# Orders one person places in ten minutes; a robot would fill the desk, and each order sets pieces aside.
CHECKOUTS_PER_CUSTOMER = RateLimit("checkout-customer", 20, CHECKOUT_SECONDS)
CHECKOUTS_PER_NETWORK = RateLimit("checkout-network", 60, CHECKOUT_SECONDS)  # an office behind one address

# A minute. Sixty pages of an office come back at once when a server restarts; nobody tries out ids at this pace.
ORDER_SOCKETS_PER_NETWORK = RateLimit("order-socket", 180, 60)

# Anybody may type anybody's address and not pay: so nobody is written to more often than this about what is not paid.
UNPAID_MAIL_SECONDS = 24 * 3_600


def is_first_unpaid_mail(email: str, order_id: UUID) -> bool:
    """Whether this order is the one that its address may be written to about. The same order is asked for again."""
    key = f"unpaid-mail:{keyed_hash(mailbox_of(email))}"
    return cache.get_or_set(key, str(order_id), UNPAID_MAIL_SECONDS) == str(order_id)
