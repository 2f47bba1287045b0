"""Rate limits on mails, which anybody may request for any address. A plus suffix is the same mailbox."""

from mcommerce.rate_limits.rate_limit import RateLimit
from mcommerce.rate_limits.visitor_identity import mailbox_of

MAILS_SECONDS = 3_600
MAILS_MAX = 5  # of one kind: enough for a person who overlooks the first ones
# Templates of mails, by kind of request. Mails to an address with an account and to one without count alike.
CODES = ("account/email/email_confirmation", "account/email/account_already_exists")
LINKS = ("account/email/password_reset_key", "account/email/unknown_account")
CODE_MAILS = RateLimit("code-mails", MAILS_MAX, MAILS_SECONDS, slides=True)
LINK_MAILS = RateLimit("link-mails", MAILS_MAX, MAILS_SECONDS, slides=True)


def count(template_prefix: str, email: str) -> None:
    """Count a mail before it is sent. Raises RateLimited. Mails that tell owners of a change are always sent."""
    for kind, limit in ((CODES, CODE_MAILS), (LINKS, LINK_MAILS)):
        if template_prefix.startswith(kind):
            limit.hit(mailbox_of(email))
