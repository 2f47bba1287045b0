"""Signing in and out, and the page about oneself."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, PasswordChangeView, RedirectURLMixin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from django.views.generic import FormView

from mcommerce.accounts import services
from mcommerce.accounts.forms import EMAIL_TAKEN, AddressForm, DetailsForm, RegisterForm, SignInForm
from mcommerce.accounts.models import Address, User


def speak(response: HttpResponse, language: str) -> HttpResponse:
    """Let the pages from now on be in this language, as the language switch does."""
    if language:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            path=settings.LANGUAGE_COOKIE_PATH,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )
    return response


class SignIn(LoginView):
    """GET: the form. POST: sign in and go to `next`, in the language that the person reads."""

    form_class = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: SignInForm) -> HttpResponse:
        return speak(super().form_valid(form), form.get_user().language)


@method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")
class Register(RedirectURLMixin, FormView):
    """GET: the form. POST: open an account, sign in and go to `next`."""

    form_class = RegisterForm
    template_name = "accounts/register.html"
    next_page = settings.LOGIN_REDIRECT_URL

    def form_valid(self, form: RegisterForm) -> HttpResponse:
        known = form.cleaned_data
        try:
            user = services.register(
                email=known["email"],
                password=known["password1"],
                name=known["name"],
                language=get_language() or settings.SHOP_LANGUAGE,
            )
        except services.EmailTaken:  # between the form's look and ours
            form.add_error("email", EMAIL_TAKEN)
            return self.form_invalid(form)
        login(self.request, user)
        messages.success(self.request, _("Welcome! Your account is open."))
        return redirect(self.get_success_url())


class ChangePassword(PasswordChangeView):
    """The current password, and a new one typed twice. Other browsers are signed out by it."""

    template_name = "accounts/change_password.html"
    success_url = reverse_lazy("accounts:account")

    def form_valid(self, form) -> HttpResponse:  # type: ignore[no-untyped-def]
        messages.success(self.request, _("Your password is changed. Other browsers are signed out."))
        return super().form_valid(form)


@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Who one is and where one lives; POST changes name, e-mail address and language."""
    person = User.objects.get(id=request.user.pk)
    form = DetailsForm(request.POST or None, instance=person, initial={"language": person.language or get_language()})
    if request.method == "POST" and form.is_valid():
        known = form.cleaned_data
        try:
            services.change_details(
                user_id=person.id, email=known["email"], name=known["name"], language=known["language"]
            )
        except services.EmailTaken:
            form.add_error("email", EMAIL_TAKEN)
        else:
            messages.success(request, _("Saved."))
            return speak(redirect("accounts:account"), known["language"])
    addresses = Address.objects.filter(user_id=request.user.pk)
    return render(request, "accounts/account.html", {"form": form, "addresses": addresses})


@never_cache
@login_required
def edit_address(request: HttpRequest, address_id: UUID | None = None) -> HttpResponse:
    """A new address without `address_id`, else one of one's own; another's is not found."""
    known = get_object_or_404(Address, id=address_id, user_id=request.user.pk) if address_id else None
    form = AddressForm(request.POST or None, instance=known, initial={"recipient": request.user.get_full_name()})
    if request.method == "POST" and form.is_valid():
        try:
            services.save_address(user_id=request.user.pk, address=form.instance)
        except services.TooManyAddresses:
            form.add_error(None, _("You have as many addresses as we keep. Delete one first."))
        else:
            messages.success(request, _("The address is saved."))
            return redirect("accounts:account")
    return render(request, "accounts/address.html", {"form": form, "known": known})


@require_POST
@login_required
def delete_address(request: HttpRequest, address_id: UUID) -> HttpResponse:
    try:
        services.remove_address(user_id=request.user.pk, address_id=address_id)
    except services.AddressUnknown:
        raise Http404(address_id) from None
    messages.success(request, _("The address is deleted."))
    return redirect("accounts:account")
