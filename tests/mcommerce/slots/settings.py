"""The site with the app of points."""

from mcommerce.settings import *  # noqa: F403
from mcommerce.settings import INSTALLED_APPS as PROJECT

INSTALLED_APPS = [*PROJECT, "tests.mcommerce.slots.points"]
