"""The front page of a site without a catalogue."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from mcommerce.features.installed import declared


@require_safe
def show_another(request: HttpRequest) -> HttpResponse:
    """Redirect to the `front_page` of the first feature that has one, else to the visitor's account."""
    return redirect(next(iter(declared("front_page")), "accounts:account"))
