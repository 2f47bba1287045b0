"""The walk is for a site that lacks an app: `tests/test_missing_apps.py` runs it, in a process for each."""

import os

collect_ignore = [] if "MISSING_APP" in os.environ else ["test_walk.py"]
