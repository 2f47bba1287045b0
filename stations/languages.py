"""A sentence in every language at once: one frame of a socket serves readers of all."""

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext


def in_every_language(sentence: str) -> dict[str, str]:
    """A sentence that is translated as it stands, by language; {} for none."""
    if not sentence:
        return {}
    told = {}
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            told[code] = gettext(sentence)
    return told
