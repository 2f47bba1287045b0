"""Log lines without the secrets that travel in addresses: a mail's link holds the key that opens its order."""

import logging
import re

SECRET_IN_ADDRESS = re.compile(r"""([?&]key=|%3Fkey%3D)[^&\s"'<>#]+""", re.IGNORECASE)


def redacted(text: str) -> str:
    """The text with each secret as an ellipsis."""
    return SECRET_IN_ADDRESS.sub(r"\1…", text)


class Formatter(logging.Formatter):
    """Writes a line and what follows it, such as a traceback, and then takes the secrets out of all of it."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))
