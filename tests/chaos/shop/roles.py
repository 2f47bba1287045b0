"""The shop's processes: what each is started with."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.free_ports import free_ports
from tests.live_site import ROOT

WEBS = ("web-1", "web-2")
COMPANY, POLLER, SIMULATOR, SHOPPERS = "company", "poller", "simulator", "shoppers"
FEED = "simulator:lund"  # a small city: 21 stations
POLL_MS = 2_000


class Role(NamedTuple):
    """A command, and what its environment has beside everybody's."""

    command: list[str]
    environment: dict[str, str]


def environment() -> dict[str, str]:
    """What all processes of a site with a shop see beside what the town's do."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.chaos.shop.settings",
        "TRUST_PROXY": "1",
        "LISTEN_HOST": "127.0.0.1",
        "STATIONS_FEEDS": FEED,
        "STATIONS_POLL_INTERVAL_MS": str(POLL_MS),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def roles(folder: Path, seed: int, site: Mapping[str, str]) -> dict[str, Role]:
    """By name, in the order in which they begin. `site` is the environment that everybody has."""
    doors = dict(zip(WEBS, free_ports(len(WEBS)), strict=True))
    entrypoint, python = str(ROOT / "docker-entrypoint"), sys.executable
    simulator = str(urlsplit(site["SIMULATOR_URL"]).port)
    addresses = ",".join(f"http://127.0.0.1:{port}" for port in doors.values())
    site_url = {"SITE_URL": addresses.partition(",")[0]}  # where the company sends shoppers and webhooks
    shopping = [python, "-m", "tests.chaos.shop.shoppers", str(folder / SHOPPERS), f"{seed} {SHOPPERS}", addresses]
    return {
        COMPANY: Role([python, "-m", "tests.chaos.shop.company"], {}),
        SIMULATOR: Role([python, "manage.py", "simulate_stations", f"--port={simulator}", "--open"], {}),
        **{name: Role([python, entrypoint, "pages"], {"PORT": str(port)} | site_url) for name, port in doors.items()},
        POLLER: Role([python, entrypoint, "poll"], {}),
        SHOPPERS: Role(shopping, {}),
    }
