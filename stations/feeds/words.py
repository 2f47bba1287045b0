"""Marking words for translation where no Django is needed."""


def gettext_noop(words: str) -> str:
    """The words as they are; `makemessages` finds them, and whoever shows them translates them."""
    return words
