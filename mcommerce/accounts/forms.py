"""What people write about themselves."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from eventbus import clock
from mcommerce import countries
from mcommerce.accounts.models import Address, User
from mcommerce.accounts.throttle import (
    SIGN_IN_WINDOW,
    TooManyAttempts,
    forget_attempts,
    network_address,
    note_attempt,
)

EMAIL_TAKEN = _("There is already an account with this e-mail address.")


class SignInForm(AuthenticationForm):
    """E-mail address and password, with so many tries in a while. It does not say which of the two was wrong."""

    username = forms.EmailField(
        label=_("E-mail address"), widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"})
    )
    error_messages = {
        "invalid_login": _("This e-mail address and this password do not belong together."),
        "inactive": _("This account is closed."),
        "throttled": _("Too many tries. Please wait %(minutes)d minutes, then try again."),
    }

    def clean(self) -> dict[str, Any]:
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not (email and password):
            return self.cleaned_data
        who = {"address": network_address(self.request), "email": email}
        try:
            note_attempt(**who, now=clock.now())
        except TooManyAttempts:
            minutes = SIGN_IN_WINDOW.total_seconds() // 60
            raise ValidationError(
                self.error_messages["throttled"], code="throttled", params={"minutes": minutes}
            ) from None
        cleaned: dict[str, Any] = super().clean()
        forget_attempts(**who)
        return cleaned


class RegisterForm(BaseUserCreationForm):
    """An e-mail address, which has the focus, a name, and a password typed twice."""

    class Meta:
        model = User
        fields = ["email", "name"]
        widgets = {
            "email": forms.EmailInput(attrs={"autocomplete": "username"}),
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
        }


class DetailsForm(forms.ModelForm):
    """Name, e-mail address and language. Another address is only taken with the password: it opens the account."""

    language = forms.ChoiceField(label=_("Language of mails and pages"), choices=settings.LANGUAGES)
    current_password = forms.CharField(
        label=_("Current password"),
        strip=False,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("Only needed to change the e-mail address."),
    )

    class Meta:
        model = User
        fields = ["name", "email", "language"]
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        password = cleaned.get("current_password", "")
        if "email" in self.changed_data and not self.instance.check_password(password):
            self.add_error("current_password", _("This is not your password."))
        return cleaned


class AddressForm(forms.ModelForm):
    """Where something is sent."""

    country = forms.ChoiceField(
        label=_("Country"), choices=countries.choices, widget=forms.Select(attrs={"autocomplete": "country"})
    )

    class Meta:
        model = Address
        fields = ["recipient", "street", "extra", "postal_code", "city", "country"]
        widgets = {
            name: forms.TextInput(attrs={"autocomplete": kind})
            for name, kind in {
                "recipient": "name",
                "street": "address-line1",
                "extra": "address-line2",
                "postal_code": "postal-code",
                "city": "address-level2",
            }.items()
        }
