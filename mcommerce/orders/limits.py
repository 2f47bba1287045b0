"""How often one visitor may do what costs the shop, or somebody else, something."""

from mcommerce.rate_limits.limits import RateLimit

CHECKOUT_SECONDS = 600
# Orders one person places in ten minutes; a robot would fill the desk, and each order sets pieces aside.
CHECKOUTS_PER_CUSTOMER = RateLimit("checkout-customer", 20, CHECKOUT_SECONDS)
CHECKOUTS_PER_NETWORK = RateLimit("checkout-network", 60, CHECKOUT_SECONDS)  # an office behind one address
