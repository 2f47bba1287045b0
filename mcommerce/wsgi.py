"""The site's pages for a WSGI server. Sockets and the bus run elsewhere."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcommerce.settings")
pages = get_wsgi_application()

from django.apps import apps  # noqa: E402  (the settings are needed first)
from django.conf import settings  # noqa: E402
from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402

from mcommerce import readiness  # noqa: E402
from mcommerce.overview import examination  # noqa: E402
from mcommerce.serving import background_threads  # noqa: E402
from mcommerce.web import response_headers, static_files  # noqa: E402

application = response_headers.by_wsgi(StaticFilesHandler(pages) if settings.LOCAL else static_files.before(pages))
background_threads.announce("pages")
readiness.start("pages")
if apps.is_installed("mcommerce.notices"):  # a part of a site may leave it out
    from mcommerce.notices import fault_watch

    fault_watch.start()
examination.start()
