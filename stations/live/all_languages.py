"""A sentence in every language at once, since one socket frame serves readers of all languages."""

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext


def in_every_language(sentence: str) -> dict[str, str]:
    """Return the translations of a sentence by language; {} for an empty one."""
    if not sentence:
        return {}
    told = {}
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            told[code] = gettext(sentence)
    return told
