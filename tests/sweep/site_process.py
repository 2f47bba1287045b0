"""One life of the site: shop, bus and web server in one process, and who drives it. Forked warm, so it costs little."""

import faulthandler
import gc
import json
import logging
import os
import threading
import traceback
from functools import partial
from typing import Any, NoReturn

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import connections

from eventbus import clock, failpoints, registry
from eventbus.consuming import worker
from eventbus.database.leases import Lease
from eventbus.failures import circuit_breaker
from eventbus.operations import heartbeats
from eventbus.operations.heartbeats import Heartbeat
from eventbus.processes import dispatcher
from tests import event_history
from tests.sweep import kafka_day, poison, verdict
from tests.sweep.provider_process import KEY, SECRET
from tests.sweep.run import Run
from tests.sweep.shop_day import Journey

LEASE_SECONDS = 0.1  # a dead life's lease; nobody else ever wants it here
BEAT_SECONDS = 0.05
SAY_SECONDS = 0.2  # a few times a day a life says what it does
PAUSE_SECONDS = 0.02  # what the bus waits for a broken world, and for the lease
STILL_SECONDS = 0.05  # before a group with an open circuit breaker looks around: what it asks costs as much as an event


def born(run: Run) -> int:
    """Fork a life of the site; it ends by itself when the day is over, having written report.json, or by its point."""
    child = os.fork()
    if not child:
        gc.disable()  # it lives for a second
        faulthandler.enable((run.folder / "died").open("w"), all_threads=False)  # if the interpreter itself dies
        try:
            live(run)
        except BaseException:
            (run.folder / "died").write_text(traceback.format_exc())
            os._exit(1)
    return child


def live(run: Run) -> NoReturn:
    settle_in(run)
    plan = failpoints.arm([fault.spec for fault in run.case.faults], run.folder / "fired")
    if run.case.mistake:
        from tests.simulation.mistakes import named  # only now: no other run needs Kafka's client and the page server

        named(run.case.mistake).plant()
    web = Web(run)
    bus = dispatcher.Dispatcher.start_in_process()
    heartbeat = Heartbeat("all", bus.tell).start()
    Journey(run).play()
    web.shutdown()
    heartbeat.close()
    bus.close()
    if run.servers:
        kafka_day.clear_away()
    report = {"violations": verdict.violations(run), "passes": plan.passes}
    unfinished = run.folder / "report.unfinished"
    unfinished.write_text(json.dumps(report))
    unfinished.rename(run.folder / "report.json")
    os._exit(0)


def settle_in(run: Run) -> None:
    """This process belongs to the run: its database, company, letterbox and clock; and it is in a hurry."""
    logging.basicConfig(filename=run.folder / "log", level=logging.WARNING, force=True)
    requests = logging.getLogger("django.server")  # which would print every one
    requests.handlers.clear()
    requests.propagate = True
    connections.databases["default"].update(run.database)
    settings.SANDBOX_PROVIDER_URL, settings.SWEEP_FOLDER, settings.LETTERBOX = run.company_url, run.folder, run.folder
    settings.SITE_URL = run.site_url
    settings.SANDBOX_PROVIDER_KEY, settings.SANDBOX_WEBHOOK_SECRET = KEY, SECRET
    settings.EMAIL_BACKEND = "tests.letterbox.Letterbox"
    clock.hold(run.clock.now())
    poison.look_for_dust()
    registry.groups.update({name: event_history.noting(group) for name, group in registry.groups.items()})
    hurry: Any = dispatcher
    hurry.Lease, hurry.BEAT_SECONDS = partial(Lease, seconds=LEASE_SECONDS), BEAT_SECONDS
    hurry.STANDBY_SECONDS = hurry.BROKEN_SECONDS = PAUSE_SECONDS
    hurry = heartbeats
    hurry.BEAT_SECONDS = SAY_SECONDS
    worker.STILL_SECONDS = STILL_SECONDS
    circuit_breaker.WINDOW_ATTEMPTS, circuit_breaker.KEYS_MIN = 2 * poison.FISH_FAILED_MIN - 1, poison.FISH_FAILED_MIN
    worker.OUTAGE_PAUSE_SECONDS = (PAUSE_SECONDS, PAUSE_SECONDS)
    if run.servers:
        kafka_day.begin(run)


class Web(ThreadedWSGIServer):
    """Django's own server at the run's door, which stays open when the process dies."""

    def __init__(self, run: Run) -> None:
        super().__init__(("127.0.0.1", 0), WSGIRequestHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = run.door
        self.server_name, self.server_port = self.socket.getsockname()
        self.setup_environ()
        self.set_app(WSGIHandler())
        threading.Thread(target=self.serve_forever, args=(PAUSE_SECONDS,), name="web", daemon=True).start()
