import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from eventbus.processes.command_runner import on_signal
from mcommerce.payment.sandbox_process import start_sandbox_provider


class Command(BaseCommand):
    help = "Run the stand-in payment provider in a process of its own (runserver has one inside already)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", help="The address to listen on; else the host of SANDBOX_PROVIDER_URL.")
        parser.add_argument("--port", type=int, help="The port to listen on; else the port of SANDBOX_PROVIDER_URL.")

    def handle(self, *args: Any, host: str | None, port: int | None, **options: Any) -> None:
        stopped = threading.Event()
        with on_signal(stopped.set):
            try:
                provider = start_sandbox_provider(host=host, port=port)
            except OSError as error:
                text = f"The payment provider cannot listen there: {error}. Choose another --port."
                raise CommandError(text) from error
            self.stdout.write(f"The stand-in payment provider is at {provider.url}. Ctrl-C ends it.")
            self.stdout.flush()
            stopped.wait()
            provider.close()
