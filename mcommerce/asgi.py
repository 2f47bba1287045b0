"""The site for an ASGI server: pages, sockets and, when this process is the whole system, the bus.

Servers import this module before any visitor comes, in the child of an autoreloading `runserver` too, so what an
earlier crash left behind is delivered at once.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
django.setup()

from django.conf import settings  # noqa: E402  (the settings are needed first)

from mcommerce import background, collector  # noqa: E402
from mcommerce.routing import build_application  # noqa: E402

application = build_application()
if settings.IN_PROCESS:
    background.start()
else:
    background.announce("live")
collector.settle()
