"""Log lines without the secrets in addresses: a mail's link holds the key that opens its order."""

import logging
import re

SECRET_IN_ADDRESS = re.compile(r"""([?&]key=|%3Fkey%3D)[^&\s"'<>#]+""", re.IGNORECASE)


def redacted(text: str) -> str:
    """Return the text with each secret as an ellipsis."""
    return SECRET_IN_ADDRESS.sub(r"\1…", text)


class Formatter(logging.Formatter):
    """A formatter that removes the secrets from a line and from what follows it, such as a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))
