"""A second factor for staff of a deployed site. Until they have one, each page sends them to set it up."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

Answer = Callable[[HttpRequest], HttpResponse]
OPEN_ANYWAY = ("/accounts/", "/i18n/", "/health/")  # its setup, and pages that need no staff


def staff_have_one(get_response: Answer) -> Answer:
    """Return middleware that sends staff without a second factor to its setup."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not _needs_one(request):
            return get_response(request)
        messages.warning(request, _("Staff sign in with a second factor here. Set yours up first."))
        return redirect("mfa_activate_totp")

    return middleware


def _needs_one(request: HttpRequest) -> bool:
    """Return whether the user still has to set up a second factor. On a local site it looks up no user."""
    if not settings.STAFF_SECOND_FACTOR or request.path_info.startswith(OPEN_ANYWAY):
        return False
    return getattr(request.user, "lacks_second_factor", False)  # AnonymousUser has none
