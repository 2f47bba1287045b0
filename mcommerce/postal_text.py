"""The check of names and addresses: a person must be able to read them on a parcel."""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# A link that a mail program, or staff in the admin, would follow; no name and no place contains one.
LINK = re.compile(r"@|://|\bwww\.|\w\.\w+/|\.(?:com|net|org|info|biz|xyz|top|site|online|shop|app|link|click)\b", re.I)
# Invisible characters whose category is letter, symbol or mark: fillers of Hangul, the empty Braille pattern,
# inherent vowels of Khmer, joiners, and variation selectors.
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def written_on_a_parcel(text: str) -> None:
    """Raise ValidationError for a text that nobody writes on a parcel.

    That is a text with links, mail addresses or invisible characters, or one without letters and digits.
    """
    kinds = [unicodedata.category(letter)[0] for letter in text]
    if LINK.search(text) or UNSEEN.search(text) or "C" in kinds or not {"L", "N"} & set(kinds):
        raise ValidationError(_("Write it as on a parcel: without links, @ or hidden characters."), code="no_parcel")
