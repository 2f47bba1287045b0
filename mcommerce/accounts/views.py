"""The account page. Signing in and out, passwords and codes are django-allauth's."""

import re
from typing import cast
from uuid import UUID

from allauth.account.views import PasswordResetFromKeyView
from allauth.account.views._password_reset import INTERNAL_RESET_SESSION_KEY
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from mcommerce.accounts.forms import AddressForm, DetailsForm
from mcommerce.accounts.models import Address, User
from mcommerce.accounts.services import profile
from mcommerce.accounts.sign_in.languages import activate_language

SLUG = re.compile(r"[-a-zA-Z0-9_]+", re.ASCII)


def _signed_in(request: HttpRequest) -> User:
    """Return the person of a request that `login_required` has let through."""
    return cast("User", request.user)


@never_cache
def open_link(request: HttpRequest) -> HttpResponse:
    """Keep the key of a mailed link in the session, and redirect to the page that checks it and sets a new password.

    It redirects with a wrong key too. So no page, history or Referer header holds the address with the key.
    """
    user_id, _dash, token = request.GET.get("key", "").partition("-")
    request.session[INTERNAL_RESET_SESSION_KEY] = token
    known = user_id if SLUG.fullmatch(user_id) else "nobody"
    return redirect("account_reset_password_from_key", uidb36=known, key=PasswordResetFromKeyView.reset_url_key)


@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show the person's details and addresses; POST changes name and language."""
    # Not the object of the request: a form writes what was typed into its object, even if some of it is wrong.
    person = User.objects.get(id=_signed_in(request).id)
    form = DetailsForm(request.POST or None, instance=person, initial={"language": person.language or get_language()})
    if request.method == "POST" and form.is_valid():
        known = form.cleaned_data
        profile.change_details(user_id=person.id, name=known["name"], language=known["language"])
        messages.success(request, _("Saved."))
        return activate_language(redirect("accounts:account"), known["language"])
    addresses = Address.objects.filter(user_id=person.id)
    return render(request, "accounts/account.html", {"form": form, "addresses": addresses})


@never_cache
@login_required
def edit_address(request: HttpRequest, address_id: UUID | None = None) -> HttpResponse:
    """Create an address without `address_id`, else edit the person's own. Another person's is not found."""
    person = _signed_in(request)
    known = get_object_or_404(Address, id=address_id, user_id=person.id) if address_id else None
    form = AddressForm(request.POST or None, instance=known, initial={"recipient": person.name})
    if request.method == "POST" and form.is_valid():
        try:
            profile.save_address(user_id=person.id, address=form.instance)
        except profile.TooManyAddresses:
            form.add_error(None, _("You have as many addresses as we keep. Delete one first."))
        else:
            messages.success(request, _("The address is saved."))
            return redirect("accounts:account")
    return render(request, "accounts/address.html", {"form": form, "known": known})


@require_POST
@login_required
def delete_address(request: HttpRequest, address_id: UUID) -> HttpResponse:
    try:
        profile.remove_address(user_id=_signed_in(request).id, address_id=address_id)
    except profile.AddressUnknown:
        raise Http404(address_id) from None
    messages.success(request, _("The address is deleted."))
    return redirect("accounts:account")
