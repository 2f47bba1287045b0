"""`manage.py simulate_stations`: JCDecaux's API with invented stations, until stopped."""

import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus.processes.command_runner import on_signal
from stations.simulator.server import SPEED, serve
from stations.simulator.simulator_process import address


class Command(BaseCommand):
    help = "Serve JCDecaux's API, versions 1 and 3, with invented stations in the real cities, at SIMULATOR_URL."

    def add_arguments(self, parser: CommandParser) -> None:
        port, seed = address()[1], settings.SIMULATOR_SEED
        parser.add_argument("--port", type=int, default=port, help=f"0 takes any that is free; SIMULATOR_URL's, {port}")
        parser.add_argument("--seed", type=int, default=seed, help="the same seed invents the same stations and days")
        parser.add_argument("--speed", type=float, default=SPEED, help=f"1 is real time; {SPEED:g} by default")
        parser.add_argument("--open", dest="open_to_all", action="store_true", help="answer without an apiKey too")

    def handle(self, *, port: int, seed: int, speed: float, open_to_all: bool, **options: Any) -> None:
        if speed <= 0:
            raise CommandError("--speed must be above zero: time only goes forward.")
        stopped = threading.Event()
        with on_signal(stopped.set):
            try:
                simulator = serve(address()[0], port, seed, speed=speed, open_to_all=open_to_all)
            except OSError as error:
                text = f"Port {port} cannot be used ({error.strerror}): choose another with --port."
                raise CommandError(text) from None
            self.stdout.write(f"Simulated stations at {simulator.url}/vls/v3/stations (and /vls/v1)")
            self.stdout.flush()
            stopped.wait()
            simulator.close()
