"""Find out which ports of a local site are taken, before any part of the site starts.

It needs Python alone: `make run` calls it before the packages are installed.
"""

import os
import socket
import sys
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

STEP = 10  # a site takes three ports side by side; the next one that a person types is a round number
PORT_MAX = 65_535


class Address(NamedTuple):
    """An address where a part of the site listens. `setting` is the variable that names it."""

    part: str
    setting: str
    host: str
    port: int


def address_of(part: str, setting: str, url: str) -> Address:
    """Return the address in the URL of a setting."""
    named = urlsplit(url)
    return Address(part, setting, named.hostname or "127.0.0.1", named.port or 80)


def obstacle(host: str, port: int) -> str:
    """Return the reason why nothing can listen there; "" if something can."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as door:  # as Twisted does
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind((host, port))
            door.listen()
    except (OSError, OverflowError, UnicodeError) as error:
        return str(getattr(error, "strerror", None) or error).rstrip(".")
    return ""


def complaints(addresses: Sequence[Address]) -> list[str]:
    """Return a sentence for each address where nothing can listen."""
    reasons = [(one, obstacle(one.host, one.port)) for one in addresses]
    return [f"Port {one.port} of {one.host} is not free for {one.part}: {why}." for one, why in reasons if why]


def free_port(host: str, *, beyond: int, side_by_side: int = 1) -> int:
    """Return a port above `beyond` from which `side_by_side` ports in a row are free; `beyond` if there is none."""
    for first in range(beyond + STEP, PORT_MAX - side_by_side, STEP):
        if not any(obstacle(host, port) for port in range(first, first + side_by_side)):
            return first
    return beyond


def main(typed: str) -> int:
    """Print which ports of `make run PORT=typed` are taken, and which command to type instead. Return the exit code."""
    if not typed.isdecimal():
        print(f"PORT={typed} is not a number. Type: make run PORT=8010", file=sys.stderr)
        return 1
    first = int(typed)
    needed = [
        Address("the site", "PORT", "127.0.0.1", first),
        address_of("the sandbox payment provider", "SANDBOX_PROVIDER_URL", os.environ["SANDBOX_PROVIDER_URL"]),
        address_of("the station simulator", "SIMULATOR_URL", os.environ["SIMULATOR_URL"]),
    ]
    found = complaints(needed)
    if found:
        print(*found, f"Perhaps a site already runs there. Type: {_line(needed, first)}", sep="\n", file=sys.stderr)
    return bool(found)


def _line(needed: Sequence[Address], first: int) -> str:
    """Return the command with free ports. Only addresses that somebody set themselves are named one by one."""
    own = [one for at, one in enumerate(needed) if one.port != first + at and obstacle(one.host, one.port)]
    named = [f"{one.setting}=http://{one.host}:{free_port(one.host, beyond=one.port)}" for one in own]
    if any(obstacle(one.host, one.port) for one in needed if one not in own):
        named.append(f"PORT={free_port('127.0.0.1', beyond=min(first, PORT_MAX - STEP), side_by_side=len(needed))}")
    return " ".join(["make run", *named])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
