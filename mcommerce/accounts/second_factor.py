"""Staff of a deployed site have a second factor: until they do, each page sends them to set one up."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

Answer = Callable[[HttpRequest], HttpResponse]
OPEN_ANYWAY = ("/accounts/", "/i18n/", "/health/")  # where one is set up, and what nobody needs to be staff for


def staff_have_one(get_response: Answer) -> Answer:
    """Middleware: send staff without a second factor to where they get one."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not _needs_one(request):
            return get_response(request)
        messages.warning(request, _("Staff sign in with a second factor here. Set yours up first."))
        return redirect("mfa_activate_totp")

    return middleware


def _needs_one(request: HttpRequest) -> bool:
    """At home nobody is asked who they are for it."""
    if not settings.STAFF_SECOND_FACTOR or request.path_info.startswith(OPEN_ANYWAY):
        return False
    return getattr(request.user, "lacks_second_factor", False)  # an anonymous visitor has no such thing
