"""The simulator inside a server process, where the settings say it is asked."""

from urllib.parse import urlsplit

from django.conf import settings

from stations.simulator.server import HOST, PORT, Simulator, serve


def start_in_process() -> Simulator:
    """Serve at SIMULATOR_URL with SIMULATOR_SEED until `close()`. Raises OSError when its port is taken."""
    address = urlsplit(settings.SIMULATOR_URL)
    return serve(address.hostname or HOST, address.port or PORT, settings.SIMULATOR_SEED)
