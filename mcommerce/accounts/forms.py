"""Forms for a person's own details and addresses."""

from typing import Any

from allauth.account.forms import SignupForm
from django import forms
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from mcommerce import countries
from mcommerce.accounts.models import Address, User
from mcommerce.postal_text import written_on_a_parcel

NAME_LENGTH_MAX = User._meta.get_field("name").max_length


class RegisterForm(SignupForm):
    """E-mail address, name, and a password typed twice. The answer does not reveal whether the address is known."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH_MAX,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ["email", "name", "password1", "password2"]
    account_already_exists: bool  # SignupForm sets it

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        if not self.account_already_exists:
            try:
                with transaction.atomic():
                    return self._save(request)
            except IntegrityError:  # another request registered this address first
                self.account_already_exists = True
        User().set_password(self.cleaned_data["password1"])  # as slow as opening an account
        return self._save(request)

    def _save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        saved: tuple[User | None, HttpResponse | None] = super().try_save(request)
        return saved


class DetailsForm(forms.ModelForm):
    """A person's name and language."""

    language = forms.ChoiceField(label=_("Language of mails and pages"), choices=settings.LANGUAGES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].validators.append(written_on_a_parcel)

    class Meta:
        model = User
        fields = ["name", "language"]
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}


class AddressForm(forms.ModelForm):
    """A delivery address."""

    country = forms.ChoiceField(
        label=_("Country"), choices=countries.choices, widget=forms.Select(attrs={"autocomplete": "country"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("recipient", "street", "extra", "postal_code", "city"):
            self.fields[name].validators.append(written_on_a_parcel)
        countries.refuse_silent_change(self)

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
