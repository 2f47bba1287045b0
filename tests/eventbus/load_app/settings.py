"""The project's settings with nothing on top of the bus but the crowd, so that its processes start soon."""

import os

from mcommerce.settings import *  # noqa: F403
from mcommerce.settings import DATABASES

INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "eventbus", "tests.eventbus.load_app"]
AUTH_USER_MODEL = "auth.User"
MIDDLEWARE: list[str] = []
ROOT_URLCONF = __name__
urlpatterns: list[object] = []
# SQLite: in a test processes die, the machine does not. A benchmark pays for the disk.
if "init_command" in DATABASES["default"]["OPTIONS"] and "CROWD_DURABLE" not in os.environ:
    DATABASES["default"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"
