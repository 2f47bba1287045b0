"""The simulator where the settings say it is asked: SIMULATOR_URL."""

from urllib.parse import urlsplit

from django.conf import settings

from stations.simulator.server import HOST, PORT, Simulator, serve


def door() -> tuple[str, int]:
    """The host and the port of SIMULATOR_URL."""
    address = urlsplit(settings.SIMULATOR_URL)
    return address.hostname or HOST, address.port or PORT


def start_in_process() -> Simulator:
    """Serve there with SIMULATOR_SEED until `close()`. Raises OSError when its port is taken."""
    return serve(*door(), settings.SIMULATOR_SEED)
