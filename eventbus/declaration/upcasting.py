"""Read events of an older version: functions of the event's class turn their data into that of the present version."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Data = dict[str, Any]
Upcasts = Mapping[int, Callable[[Data], Data]]


def readable_types(event_type: Any) -> list[str]:
    """Return the types on the wire that a class can read: its own, and the older versions that it upcasts."""
    versions = [*event_type.upcasts, event_type.wire_version]
    return [f"{event_type.wire_name}.v{version}" for version in versions]


def upcast(payload: bytes, wire_type: str, event_type: Any) -> bytes:
    """Return the payload as the present version has it. The payload of this version is returned as it is.

    Raises ValueError if one of the functions cannot do it: the record is then as unreadable as one that is no event.
    """
    version = int(wire_type.rpartition(".v")[2])
    if version == event_type.wire_version:
        return payload
    try:
        data = msgspec.json.decode(payload, type=dict[str, Any])
        for step in range(version, event_type.wire_version):
            data = event_type.upcasts[step](data)
        return msgspec.json.encode(data)
    except Exception as error:  # any: the function is a module's own
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"the upcast to version {event_type.wire_version} failed: {why}") from error
