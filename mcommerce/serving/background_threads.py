"""The background work of a server process that runs the whole site: bus, poller and the local stand-ins.

They are imported only when they start. So a process that serves one part of the site does not import the apps of the
others.
"""

import asyncio
import atexit
import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings

from eventbus import backends
from eventbus.consuming import watching
from eventbus.operations.heartbeats import Heartbeat, Told
from eventbus.processes.dispatcher import Dispatcher
from eventbus.tracing import switch
from mcommerce.serving import draining

logger = logging.getLogger(__name__)


class Running(Protocol):
    def close(self) -> None: ...


@runtime_checkable
class Asked(Protocol):
    """A component that starts work by itself, and can be told to start no more."""

    def stop(self) -> None: ...


_lock = threading.Lock()
_running: list[tuple[str, Running]] = []
_failed: list[str] = []


def start() -> None:
    """Start everything once per process; repeats do nothing. It is stopped at exit, after the running work."""
    with _lock:
        if _running:
            return
        # The stand-ins first: they must answer the first poll and the first payment.
        begins = {"SIMULATOR_URL": _start_simulator, "SANDBOX_PROVIDER_URL": _start_sandbox_provider}
        for name, setting in stand_ins():
            _start(name, begins[setting], setting)
        dispatcher = Dispatcher.start_in_process()
        _running.append(("bus", dispatcher))
        if apps.is_installed("stations"):
            _running.append(("poller", _start_poller()))
            _running.append(("forecaster", _start_forecaster()))
        _say_what_this_is("all", dispatcher.tell)


def stand_ins() -> list[tuple[str, str]]:
    """Return the name of each stand-in that this process starts, and the setting that holds its address."""
    if not settings.RUN_BUS_IN_SERVER:
        return []
    simulated = any(feed.startswith("simulator") for feed in settings.STATIONS_FEEDS)
    needed = {
        ("simulator", "SIMULATOR_URL"): apps.is_installed("stations") and simulated,
        ("sandbox provider", "SANDBOX_PROVIDER_URL"): apps.is_installed("mcommerce.payment")
        and settings.PAYMENT_PROVIDER == "sandbox",
    }
    return [stand_in for stand_in, is_needed in needed.items() if is_needed]


def announce(role: str) -> None:
    """Report this process, which only serves visitors, to the operators. `role`: the name of its part of the site.

    Raises ImproperlyConfigured if the bus cannot keep its promises with these settings: at the start, not at a request.
    """
    backends.current()
    with _lock:
        _say_what_this_is(role)


def run_beside(name: str, running: Running) -> None:
    """Register a component that is closed together with everything else."""
    with _lock:
        _running.append((name, running))


def _say_what_this_is(role: str, tell: Callable[[], Told] = lambda: ("", {})) -> None:
    switch.start(role)
    _running.append(("heartbeat", Heartbeat(role, tell).start()))
    atexit.register(stop)


def _start(name: str, begin: Callable[[], Running], setting: str) -> None:
    """Start a stand-in at the address in `setting`."""
    try:
        _running.append((name, begin()))
    except OSError as error:
        where = f"{getattr(settings, setting)} ({error})"
        logger.error("The %s could not start at %s: free its port, or name another in %s", name, where, setting)
        _failed.append(name)


def _start_simulator() -> Running:
    from stations import simulator

    address = urlsplit(settings.SIMULATOR_URL)
    return simulator.serve(address.hostname or "127.0.0.1", address.port or 80, settings.SIMULATOR_SEED)


def _start_sandbox_provider() -> Running:
    from mcommerce.payment.sandbox_process import start_sandbox_provider

    return start_sandbox_provider()


def _start_poller() -> Running:
    from stations.polling import poller

    return poller.start_in_process()


def _start_forecaster() -> Running:
    from stations.forecast import forecaster

    return forecaster.start_in_process()


def stop() -> None:
    """Close the watches, whose browsers have left, and then everything else, the last started first.

    Before that, tell every component to begin no new work. Otherwise one could begin work while another finishes, and a
    supervisor's kill would interrupt it.
    """
    with _lock:
        for _, running in _running:
            if isinstance(running, Asked):
                running.stop()
        watching.close_all()
        while _running:
            name, running = _running.pop()
            running.close()
            logger.info("The %s has finished", name)
    switch.stop()  # last: the work above was traced, and uvicorn ends without exit hooks


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Handle the ASGI lifespan, for servers that end without Python's exit hooks (uvicorn). Daphne has none."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            draining.on_sigterm()
        else:
            await asyncio.to_thread(stop)
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


def problem() -> str:
    """Return "", or a sentence about parts that could not start. A process without background work is well."""
    return f"could not start: {', '.join(_failed)}; the log says why" if _failed else ""
