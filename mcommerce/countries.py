"""The countries that the shop sends to, by ISO 3166-1 alpha-2. Babel has their names."""

from typing import Any

from babel import Locale
from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext as _

SENT_TO = ("FR", "BE", "CH", "DE", "ES", "IT", "LU", "MC", "NL")  # short: each is a promise about posting and VAT


def name_of(country: str) -> str:
    """Return the country's name in the reader's language, or the code itself when it is no country."""
    return _names().get(country) or country


def choices() -> list[tuple[str, str]]:
    """Return code and name for a form: the shop's own country first, the others by name."""
    home, *abroad = SENT_TO
    return [(code, name_of(code)) for code in (home, *sorted(abroad, key=name_of))]


def refuse_silent_change(form: forms.Form | forms.ModelForm) -> None:
    """Add an empty first choice, and a hint, if the form's country is not among its choices.

    Otherwise a browser would select the first country of the list, and submit it unnoticed.
    """
    field: Any = form.fields["country"]
    country = field.get_bound_field(form, "country").value() or ""
    if country in SENT_TO or not (country or form.is_bound):
        return
    field.choices = [("", _("Choose a country")), *choices()]
    if country in _names():
        field.help_text = _("We do not send to this country: %(country)s.") % {"country": name_of(country)}


def _names() -> dict[str, str]:
    language = (get_language() or "en").partition("-")[0]
    names: dict[str, str] = dict(Locale.parse(language).territories)
    return names
