"""The project's settings with nothing on top of the bus but the town."""

import os

from mcommerce.settings import *  # noqa: F403

INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "eventbus", "tests.chaos.load_app"]
AUTH_USER_MODEL = "auth.User"
MIDDLEWARE: list[str] = []
ROOT_URLCONF = __name__
urlpatterns: list[object] = []
CHAOS_FOLDER = os.environ["CHAOS_FOLDER"]
