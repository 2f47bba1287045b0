"""The site for an ASGI server: pages, sockets and, if this process runs the whole site, the bus.

Servers import this module before the first request, also in the child process of an autoreloading `runserver`. So the
bus starts at once, and delivers events that were left over from a crash.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
django.setup()

from django.apps import apps  # noqa: E402  (the settings are needed first)
from django.conf import settings  # noqa: E402
from django.core.handlers.asgi import ASGIHandler  # noqa: E402
from django.core.signals import request_finished  # noqa: E402
from django.db import connections  # noqa: E402

from mcommerce import readiness  # noqa: E402
from mcommerce.overview import examination  # noqa: E402
from mcommerce.routing import build_application  # noqa: E402
from mcommerce.serving import background_threads, gc_tuning  # noqa: E402
from mcommerce.web import response_headers  # noqa: E402


def leave_no_connection(**told: object) -> None:
    """Close the database connections of a request's thread.

    The thread ends with the request. Without this, only the garbage collector would close its connections.
    """
    connections.close_all()


application = response_headers.by_asgi(build_application())
request_finished.connect(leave_no_connection, sender=ASGIHandler)
if settings.RUN_BUS_IN_SERVER:
    background_threads.start()
else:
    background_threads.announce("live")
readiness.start("all" if settings.RUN_BUS_IN_SERVER else "live")
if apps.is_installed("mcommerce.notices"):  # a part of a site may leave it out
    from mcommerce.notices import fault_watch

    fault_watch.start()
examination.start()
gc_tuning.settle()
