"""Log lines as text or JSON, with the correlation id of their request or event, and without the secrets in addresses.

A mail's link holds the key that opens its order.
"""

import json
import logging
import re
from datetime import UTC, datetime

from eventbus.events import correlation_id
from eventbus.tracing.switch import trace_id

SECRET_IN_ADDRESS = re.compile(r"""([?&]key=|%3Fkey%3D)[^&\s"'<>#]+""", re.IGNORECASE)

PLAIN = re.compile(r"[\w.:-]{1,64}", re.ASCII)  # a correlation id that may stand in a line


def redacted(text: str) -> str:
    """Return the text with each secret as an ellipsis."""
    return SECRET_IN_ADDRESS.sub(r"\1…", text)


def correlation_of(record: logging.LogRecord) -> str:
    """Return the id of the request or event that a line belongs to; "" if there is none, or if it is no plain word.

    Other programs choose the id of their own events.
    """
    known = getattr(getattr(record, "request", None), "correlation", "") or correlation_id()
    return known if PLAIN.fullmatch(known) else ""


class Formatter(logging.Formatter):
    """A formatter that removes the secrets from a line and from what follows it, such as a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        correlation, trace = correlation_of(record), trace_id()
        trace = f" trace {trace}" if trace and trace != correlation.replace("-", "") else ""
        record.correlation = f" [{correlation}{trace}]" if correlation or trace else ""
        return redacted(super().format(record))


class JSONFormatter(logging.Formatter):
    """A formatter that writes each line as a JSON object, without secrets. Fields without a value are left out."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
            "correlation": correlation_of(record),
            "trace_id": trace_id(),
            "exception": redacted(self.formatException(record.exc_info)) if record.exc_info else "",
            "stack": redacted(record.stack_info or ""),
        }
        return json.dumps({name: value for name, value in line.items() if value})
