"""Texts that a merchant writes in more than one language, and their form for search."""

import unicodedata
from collections.abc import Mapping

from django.conf import settings
from django.utils.text import slugify


def in_language(texts: Mapping[str, str], language: str | None) -> str:
    """Return the text in `language` ("fr-be" reads "fr"), else in the shop's first, else in any; "" without one."""
    wanted = (language or "").lower()
    for code in (wanted, wanted.partition("-")[0], settings.SHOP_LANGUAGE, *texts):
        if text := texts.get(code):
            return text
    return ""


def fold(text: str) -> str:
    """Return the text without case and accents: "operation" finds "Opération" on every database."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("’", "'"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def slug_for(title: str) -> str:
    """Return "chaise-pour-s-asseoir" for "Chaise pour s’asseoir"."""
    return slugify(title.replace("'", " ").replace("’", " "))
