"""Rate limits on a visitor's requests that call the payment provider."""

from mcommerce.rate_limits.rate_limit import RateLimit

SECONDS = 60
PAYS_PER_ORDER = RateLimit("pay-order", 10, SECONDS)  # an impatient shopper clicks less often
PAYS_PER_NETWORK = RateLimit("pay-network", 60, SECONDS)  # an office behind one address
RETURNS_PER_PAYMENT = RateLimit("pay-return", 10, SECONDS)  # each one calls the provider
