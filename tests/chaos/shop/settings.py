"""The project's settings, the town on top, and times that fit into a run of minutes."""

import os

from mcommerce.settings import *  # noqa: F403
from mcommerce.settings import INSTALLED_APPS as PROJECT

INSTALLED_APPS = [*PROJECT, "tests.chaos.shop", "tests.chaos.load_app"]
EMAIL_BACKEND = "tests.letterbox.Letterbox"
ORDER_PAYMENT_MINUTES = 0.5  # so that nobody pays in time now and then, and the run need not wait for long at its end
CHAOS_FOLDER = LETTERBOX = os.environ["CHAOS_FOLDER"]
