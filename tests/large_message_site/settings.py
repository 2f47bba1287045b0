"""The site's settings, so its limits; only the sockets are others."""

from mcommerce.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.large_message_site.asgi.application"
