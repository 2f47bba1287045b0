"""The site's django-allauth adapter: limits guesses, writes mails, and remembers the browser after sign-in."""

import logging
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from eventbus import ServiceUnavailable
from mcommerce.accounts import limits
from mcommerce.accounts.models import User
from mcommerce.accounts.sign_in import known_browsers, password_guesses
from mcommerce.accounts.sign_in.languages import activate_language
from mcommerce.rate_limits.rate_limit import RateLimited
from mcommerce.rate_limits.visitor_identity import keyed_hash, network_of_request

logger = logging.getLogger(__name__)

EMAIL_LENGTH_MAX: int = User._meta.get_field("email").max_length or 0
SHOWN_IN_TERMINAL = "django.core.mail.backends.console.EmailBackend"


class AccountAdapter(DefaultAccountAdapter):
    # --- guesses ------------------------------------------------------------------------------------------------

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count the guess before the password is checked. An address without an account gets the same answer."""
        self.guess = password_guesses.Guess(request, credentials["email"])
        try:
            self.guess.count()
        except RateLimited as limited:
            raise ImmediateHttpResponse(_too_many_guesses(request, limited.retry_after)) from None

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        user: User | None = super().authenticate(request, **credentials)
        if user:
            self.guess.take_back()
        return user

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """Keep the count of guesses when the password changes. The owner's browser is known by now."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return a hash of the visitor's network, so that rate limits store no address (mcommerce/web/proxy.py)."""
        return keyed_hash(network_of_request(request))

    def clean_email(self, email: str) -> str:
        """Reject an address that is longer than our column."""
        if len(email) > EMAIL_LENGTH_MAX:
            raise ValidationError(
                _("An e-mail address has at most %(length)s characters.") % {"length": EMAIL_LENGTH_MAX}
            )
        return email

    # --- people -------------------------------------------------------------------------------------------------

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user.name = form.cleaned_data["name"]
        user.language = translation.get_language() or settings.SHOP_LANGUAGE
        saved: User = super().save_user(request, user, form, commit)
        return saved

    def post_login(self, request: HttpRequest, user: User, **details: Any) -> HttpResponse:
        """Switch the pages to the person's language, and remember that this browser is theirs."""
        response = super().post_login(request, user, **details)
        known_browsers.remember(request, response, user.pk)
        return activate_language(response, user.language)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return resolve_url("accounts:account")

    def get_email_verification_redirect_url(self, email_address: Any) -> str:
        return resolve_url("accounts:account")

    # --- mails --------------------------------------------------------------------------------------------------

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail in its reader's language. Raises RateLimited after too many mails to the address.

        Its links lead to SITE_URL, not to the request's host. The page waits for the mail server, so only few such
        mails are sent at once. After a failure the page says so, and the visitor can request the mail again.
        """
        limits.count(template_prefix, email)
        request = allauth_context.request
        with translation.override(_language_of(email)):
            message = self.render_mail(template_prefix, email, {**context, "email": email, **_links()})
        message.connection = get_connection(by_visitor=True)
        try:
            message.send()
        # OSError: the server refuses. ServiceUnavailable: an open breaker, or too many calls. ValueError: bad spelling.
        except (OSError, ServiceUnavailable, ValueError):
            logger.exception("A mail about an account was not sent: %s", template_prefix)
            messages.error(request, _("The mail could not be sent. Please ask for it again in a few minutes."))
            return
        if settings.EMAIL_BACKEND == SHOWN_IN_TERMINAL:
            messages.info(request, _("This site sends no mail: it is printed in the terminal where the site runs."))

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Return the reset link. web/redaction.py and the proxy remove its key from their logs."""
        return f"{settings.SITE_URL}{reverse('accounts:open_link')}?{urlencode({'key': key})}"


def _too_many_guesses(request: HttpRequest, retry_after: int) -> HttpResponse:
    page = render(request, "account/too_many_guesses.html", {"minutes": -(-retry_after // 60)}, status=429)
    page["Retry-After"] = str(retry_after)
    return page


def _language_of(email: str) -> str:
    """Return the language of the person with this address; of the current request when there is none."""
    known = User.objects.filter(email=email).values_list("language", flat=True).first()
    return known or translation.get_language() or settings.SHOP_LANGUAGE


def _links() -> dict[str, str]:
    """Return absolute links built from SITE_URL, never from the request's host."""
    names = {"sign_in_url": "account_login", "register_url": "account_signup", "reset_url": "account_reset_password"}
    return {"site_url": settings.SITE_URL} | {name: settings.SITE_URL + reverse(url) for name, url in names.items()}
