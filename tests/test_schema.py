"""The tables are as the models say: a site that was upgraded has every column that its code asks for."""

import os
import subprocess
import sys
from pathlib import Path

from tests.live_site import ROOT


def test_every_change_of_a_model_has_its_migration(tmp_path: Path) -> None:
    asked = [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"]
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)}

    told = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert told.returncode == 0, told.stdout + told.stderr
