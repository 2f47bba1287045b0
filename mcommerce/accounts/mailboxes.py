"""Anybody may ask for mails to anybody's address: one mailbox gets only so many, whatever stands behind a plus."""

from mcommerce.rate_limits.limits import RateLimit
from mcommerce.rate_limits.visitors import mailbox_of

MAILS_SECONDS = 3_600
MAILS_MAX = 5  # of one kind: no more than somebody asks for who overlooks the first ones
# By what they answer. The one to an address with an account and the one to another count alike.
CODES = ("account/email/email_confirmation", "account/email/account_already_exists")
LINKS = ("account/email/password_reset_key", "account/email/unknown_account")
CODE_MAILS = RateLimit("code-mails", MAILS_MAX, MAILS_SECONDS, slides=True)
LINK_MAILS = RateLimit("link-mails", MAILS_MAX, MAILS_SECONDS, slides=True)


def count(template_prefix: str, email: str) -> None:
    """Call before such a mail is sent. Raises RateLimited. What tells owners of a change is always sent."""
    for kind, limit in ((CODES, CODE_MAILS), (LINKS, LINK_MAILS)):
        if template_prefix.startswith(kind):
            limit.hit(mailbox_of(email))
