"""The cause of a dead letter: group, type, handler, error class and line, and the fingerprint by which it is counted.

Letters of one fault in the code have one cause, however many there are, and whatever their data. The text of the error
is no part of it, because it often quotes the data.
"""

import hashlib
import os
import sysconfig
import traceback
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Any

import msgspec

from eventbus.column_sizes import CAUSE_CHARACTERS, CODE_LINE_CHARACTERS_MAX, HANDLER_CHARACTERS_MAX
from eventbus.events import Record
from eventbus.registry import Group, Handler

ERROR_CLASS_CHARACTERS_MAX = 200  # the size of its column
# The folders of Python and of installed packages. A frame there is not ours, even if the project contains its .venv.
_FOREIGN = tuple(
    os.path.join(os.path.realpath(sysconfig.get_path(name)), "")
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_BUS = "eventbus."


class Cause(msgspec.Struct, frozen=True):
    """Why a letter died. `code_line`: module, function and line of the last frame in our code, "" without one."""

    group: str
    type: str
    handler: str
    error_class: str
    code_line: str

    @property
    def fingerprint(self) -> str:
        """Return the text that equal causes share, in every process and for ever."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.astuple(self))).hexdigest()[:CAUSE_CHARACTERS]

    def columns(self) -> dict[str, str]:
        """Return the columns of a dead letter that hold this cause, beside its group and its type."""
        return {
            "handler": self.handler,
            "error_class": self.error_class,
            "code_line": self.code_line,
            "cause": self.fingerprint,
        }


def cause_of(group: Group, record: Record, error: BaseException) -> Cause:
    """Return the cause of an event's last failure."""
    frames = [frame for frame, _line in traceback.walk_tb(error.__traceback__)]
    return Cause(
        group=group.name,
        type=record.type,
        handler=_handler(group.of(record), {frame.f_code for frame in frames}),
        error_class=type(error).__name__[:ERROR_CLASS_CHARACTERS_MAX],
        code_line=_code_line(error),
    )


def _handler(handlers: Sequence[Handler], ran: set[CodeType]) -> str:
    """Return the name of the handler that ran when the error was raised; of the first, if none of them did."""
    for handler in handlers:
        if _code(handler.call) in ran:
            return _name(handler.call)
    return _name(handlers[0].call) if handlers else ""


def _code(call: Any) -> CodeType | None:
    return getattr(call, "__code__", None)


def _name(call: Any) -> str:
    name = getattr(call, "__qualname__", None) or type(call).__qualname__
    return f"{getattr(call, '__module__', '')}.{name}"[:HANDLER_CHARACTERS_MAX]


def _code_line(error: BaseException) -> str:
    """Return the last line of our code that the error came through: of a feature if there is one, else of the bus."""
    ours = [one for one in traceback.walk_tb(error.__traceback__) if _is_ours(one[0])]
    of_features = [one for one in ours if not _module(one[0]).startswith(_BUS)]
    for frame, line in reversed(of_features or ours):
        return f"{_module(frame)}.{frame.f_code.co_qualname}:{line}"[-CODE_LINE_CHARACTERS_MAX:]
    return ""


def _is_ours(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return os.path.isabs(file) and not os.path.realpath(file).startswith(_FOREIGN)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
