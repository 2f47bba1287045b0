"""The site's settings, and a module whose handler fails while a file is there."""

from mcommerce.settings import *  # noqa: F403
from mcommerce.settings import INSTALLED_APPS as PROJECT

INSTALLED_APPS = [*PROJECT, "tests.overview_faults.raising_app"]
