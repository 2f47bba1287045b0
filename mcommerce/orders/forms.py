"""Forms for shoppers and staff."""

from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

from django import forms
from django.conf import settings
from django.contrib.admin.helpers import ActionForm
from django.http import QueryDict
from django.urls import reverse_lazy
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mcommerce import countries
from mcommerce.orders.carts.cart import QUANTITY_MAX
from mcommerce.orders.services.checkout import Buyer
from mcommerce.postal_text import written_on_a_parcel


class LineForm(forms.Form):
    """A product and its quantity. In the cart, a quantity of 0 takes the line out."""

    product_id = forms.UUIDField()
    quantity = forms.IntegerField(min_value=0, max_value=QUANTITY_MAX)


class AddForm(LineForm):
    """A product to put into the cart; one piece by default."""

    quantity = forms.IntegerField(min_value=1, max_value=QUANTITY_MAX, required=False)

    def clean_quantity(self) -> int:
        return self.cleaned_data["quantity"] or 1


ADDRESS_FIELDS = ("name", "street", "extra", "postal_code", "city", "country")


class CheckoutForm(forms.Form):
    """The customer, the delivery address, the language of mails, and the agreement to the terms."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        help_text=_("Your confirmation goes there, with a link to your order."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    name = forms.CharField(
        label=_("Name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "shipping name"})
    )
    street = forms.CharField(
        label=_("Street and number"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "shipping address-line1"}),
    )
    extra = forms.CharField(
        label=_("Building, floor, care of"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "shipping address-line2"}),
    )
    postal_code = forms.CharField(
        label=_("Postal code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "shipping postal-code"}),
    )
    city = forms.CharField(
        label=_("City"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "shipping address-level2"})
    )
    country = forms.ChoiceField(
        label=_("Country"),
        choices=countries.choices,
        widget=forms.Select(attrs={"autocomplete": "shipping country"}),
    )
    language = forms.ChoiceField(label=_("We write to you in"), choices=settings.LANGUAGES)
    terms = forms.BooleanField(
        label=pgettext_lazy("checkbox", "I agree to the terms of sale"),
        error_messages={"required": _("We can only sell to you under our terms.")},
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("name", "street", "extra", "postal_code", "city"):
            self.fields[name].validators.append(written_on_a_parcel)
        countries.refuse_silent_change(self)
        self.fields["terms"].help_text = format_html(
            '<a href="{}" target="_blank">{}</a>', reverse_lazy("orders:terms"), _("Read the terms of sale")
        )

    @classmethod
    def filled_in(cls, sent: QueryDict, address: str) -> "CheckoutForm":
        """Return the form with the typed values, and an address of the address book in place of the typed one."""
        chosen = {name: values[-1] for name, values in parse_qs(address, keep_blank_values=True).items()}
        chosen["name"] = chosen.get("recipient", "")
        known = {name: chosen[name] for name in ADDRESS_FIELDS if name in chosen}
        return cls(initial={**sent.dict(), **known})

    def buyer(self, customer_id: UUID | None) -> Buyer:
        """Return the valid form's answers. `customer_id` is None for a guest."""
        names = ("email", "name", "street", "extra", "postal_code", "city", "country", "language")
        return Buyer(customer_id=customer_id, **{name: self.cleaned_data[name] for name in names})


class SentForm(forms.Form):
    """The carrier of an order, and the tracking number."""

    carrier = forms.CharField(label=_("Carrier"), max_length=100, required=False)
    tracking = forms.CharField(label=_("Tracking number"), max_length=100, required=False)


class SendingForm(ActionForm, SentForm):
    """The carrier and the tracking number, beside the admin's list of actions."""


class PiecesForm(forms.Form):
    """A tick that the sent pieces are back."""

    pieces_are_back = forms.BooleanField(
        label=_("And put the pieces back"),
        required=False,
        help_text=_("Tick it when they are here and can be sold again. You can also say so later."),
    )
