"""Which Chromium the tests look through, and how it is started.

Debian's headless shell is the same engine without the windows and their toolbars, which nobody sees here and which cost
half of the processor's time; where it is missing, the whole browser does.
"""

import os
from pathlib import Path

SHELL, WHOLE = Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")
CHROMIUM = Path(os.environ.get("CHROMIUM") or next((path for path in (SHELL, WHOLE) if path.exists()), SHELL))
CHROMIUM_OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REMEDY = f"No Chromium at {CHROMIUM}. Debian: apt install {SHELL.name}; or set CHROMIUM to one."
