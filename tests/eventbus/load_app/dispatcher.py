"""`python -m tests.eventbus.load_app.dispatcher NAME LOOKED`: dispatch or stand by, as a server does, until killed.

The file LOOKED is there once it has looked who leads.
"""

import sys
from pathlib import Path

import django

if __name__ == "__main__":
    django.setup()
    from eventbus.processes.dispatcher import Dispatcher

    dispatcher = Dispatcher()
    lease, looked = dispatcher._lease, Path(sys.argv[2])
    lease.owner = sys.argv[1]  # so that the lease tells the test which process leads
    acquire = lease.acquire

    def look() -> bool:
        try:
            return acquire()
        finally:
            looked.touch()

    lease.acquire = look  # type: ignore[method-assign]
    dispatcher.run()
