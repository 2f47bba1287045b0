"""A site that is to send traces without their packages does not start, and says what to install."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live_site import ROOT, environ

SAY = """
import sys
from django.core.exceptions import ImproperlyConfigured
sys.modules[sys.argv[1]] = None  # as where it is not installed
try:
    import mcommerce.settings
except ImproperlyConfigured as error:
    print(error)
"""


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.exporter"])
def test_missing_packages_of_traces_are_named(tmp_path: Path, missing: str) -> None:
    told = {"PATH": environ["PATH"], "VAR_DIR": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}

    done = subprocess.run([sys.executable, "-c", SAY, missing], cwd=ROOT, env=told, capture_output=True, text=True)

    assert "install requirements-traces.txt" in done.stdout, done.stderr


def test_an_empty_name_of_the_service_turns_nothing_off(tmp_path: Path) -> None:
    told = {"PATH": environ["PATH"], "VAR_DIR": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    say = "from mcommerce.settings import EVENTBUS; print(EVENTBUS['TRACED_AS'])"

    done = subprocess.run(
        [sys.executable, "-c", say], cwd=ROOT, env={**told, "OTEL_SERVICE_NAME": ""}, capture_output=True, text=True
    )

    assert done.stdout.strip() == "mcommerce", done.stderr
