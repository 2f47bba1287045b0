"""The simulator where the settings say it is asked: SIMULATOR_URL."""

from urllib.parse import urlsplit

from django.conf import settings

from stations.simulator.server import HOST, PORT, Simulator, serve


def address() -> tuple[str, int]:
    """The host and the port of SIMULATOR_URL."""
    url = urlsplit(settings.SIMULATOR_URL)
    return url.hostname or HOST, url.port or PORT


def start_in_process() -> Simulator:
    """Serve there with SIMULATOR_SEED until `close()`. Raises OSError when its port is taken."""
    return serve(*address(), settings.SIMULATOR_SEED)
