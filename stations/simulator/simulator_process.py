"""The simulator at the address of the settings: SIMULATOR_URL."""

from urllib.parse import urlsplit

from django.conf import settings

from stations.simulator.server import HOST, PORT, Simulator, serve


def address() -> tuple[str, int]:
    """Return the host and the port of SIMULATOR_URL."""
    url = urlsplit(settings.SIMULATOR_URL)
    return url.hostname or HOST, url.port or PORT


def start_in_process() -> Simulator:
    """Serve at SIMULATOR_URL with SIMULATOR_SEED until `close()`. Raises OSError when its port is taken."""
    return serve(*address(), settings.SIMULATOR_SEED)
