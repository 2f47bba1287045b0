"""Keeps a request whose address is a secret out of every log: urllib3 logs host and path of each request at DEBUG."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests  # imports all of urllib3 that logs, so that its loggers exist below


class _ThreadState(threading.local):
    unlogged = False


_here = _ThreadState()


@contextmanager
def unlogged() -> Iterator[None]:
    """Drop what urllib3 and requests log in this thread, at any level."""
    before, _here.unlogged = _here.unlogged, True
    try:
        yield
    finally:
        _here.unlogged = before


def _is_wanted(_: logging.LogRecord) -> bool:
    return not _here.unlogged


# A parent logger's filter does not see the records of its children, so each logger gets it.
_LIBRARIES = (requests.__name__, "urllib3")
for _name in list(logging.root.manager.loggerDict):
    if _name.partition(".")[0] in _LIBRARIES:
        logging.getLogger(_name).addFilter(_is_wanted)
