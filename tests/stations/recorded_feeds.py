"""Real answers of the operator, recorded byte for byte. They are not part of this project."""

import os
from pathlib import Path

import pytest
from django.conf import settings

FOLDER = Path(os.environ.get("RECORDED_FEEDS") or Path(settings.BASE_DIR).parent / "shared/data/stations")

LYON_V3 = "jcdecaux_v3/lyon_2026-05-01.json"
TOULOUSE_V1 = "jcdecaux_v1/toulouse_2025-10.json"
ROUEN_29_V1 = "jcdecaux_v1/rouen_station_29_null_last_update.json"
DUBLIN_V1 = tuple(f"jcdecaux_v1/bike_data_2025-02-22_{time}.json" for time in ("19-06-07", "19-06-51", "19-11-07"))

needs_recorded = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no recorded answers in {FOLDER}: set RECORDED_FEEDS to where they are"
)


def recorded(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
