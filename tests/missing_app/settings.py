"""The site's settings without the app that MISSING_APP names."""

import os

from mcommerce.settings import *  # noqa: F403
from mcommerce.settings import INSTALLED_APPS as WHOLE

INSTALLED_APPS = [name for name in WHOLE if name != os.environ["MISSING_APP"]]
