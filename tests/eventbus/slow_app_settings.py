"""The site with the slow app in it, for processes that tests start."""

from mcommerce.settings import *  # noqa: F403
from mcommerce.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.eventbus.slow_app"]
