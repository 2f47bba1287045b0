"""A site without a collector loads nothing of OpenTelemetry. One that names a collector is told which are missing."""

from pathlib import Path

from tests.test_settings import python

LOADED = (
    "import sys, mcommerce.wsgi; from eventbus.tracing import switch;"
    "print(switch.active, [name for name in sys.modules if name.startswith('opentelemetry')]);"
)


def test_without_a_collector_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    assert python(tmp_path, LOADED).stdout.strip() == "None []"


def test_a_collector_without_the_packages_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()

    refused = python(tmp_path, "", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", PYTHONPATH=str(tmp_path))

    assert refused.returncode
    assert "install requirements-traces.txt, or unset it" in refused.stderr
