"""The site's settings, with the peers' apps beside ours: their tables are there for whoever measures them."""

from importlib.util import find_spec

from mcommerce.settings import *  # noqa: F403
from mcommerce.settings import INSTALLED_APPS as OURS

PEERS = ("django_outbox_pattern", "django_domain_events")
INSTALLED_APPS = [*OURS, *(name for name in PEERS if find_spec(name))]
