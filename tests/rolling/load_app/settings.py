"""The settings of a crowd, with the shift instead of it."""

from tests.eventbus.load_app.settings import *  # noqa: F403

INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "eventbus", "tests.rolling.load_app"]
ROOT_URLCONF = __name__
urlpatterns: list[object] = []
