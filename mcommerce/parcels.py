"""What is written on a parcel: names and addresses that a person can read there."""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# A person or a place; not what a mail program, or somebody at the desk, would follow.
LINK = re.compile(r"@|://|\bwww\.|\w\.\w+/|\.(?:com|net|org|info|biz|xyz|top|site|online|shop|app|link|click)\b", re.I)
# Letters, symbols and marks by their category, of which nothing is seen: fillers of Hangul, the empty Braille pattern,
# inherent vowels of Khmer, joiners, and selectors of variants.
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def written_on_a_parcel(text: str) -> None:
    """Refuse what cannot be read there: links, addresses of mail, characters that are not seen, and marks alone."""
    kinds = [unicodedata.category(letter)[0] for letter in text]
    if LINK.search(text) or UNSEEN.search(text) or "C" in kinds or not {"L", "N"} & set(kinds):
        raise ValidationError(_("Write it as on a parcel: without links, @ or hidden characters."), code="no_parcel")
