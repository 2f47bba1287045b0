"""The countries that the shop sends to, by ISO 3166-1 alpha-2; Babel knows what people call them."""

from babel import Locale
from django.utils.translation import get_language

SENT_TO = ("FR", "BE", "CH", "DE", "ES", "IT", "LU", "MC", "NL")  # short: each is a promise about posting and VAT


def name_of(country: str) -> str:
    """In the reader's language; the code itself for what is no country."""
    return _names().get(country) or country


def choices() -> list[tuple[str, str]]:
    """Code and name for a form: the shop's own country first, the others by name."""
    home, *abroad = SENT_TO
    return [(code, name_of(code)) for code in (home, *sorted(abroad, key=name_of))]


def _names() -> dict[str, str]:
    language = (get_language() or "en").partition("-")[0]
    return Locale.parse(language).territories
