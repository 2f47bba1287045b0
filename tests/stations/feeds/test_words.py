"""Whoever reads French is told in French why a poll failed and why rows were left out."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Bad
from stations.models import REASON_LENGTH_MAX

CATALOGUE = Path(settings.BASE_DIR) / "stations/locale/fr/LC_MESSAGES/django.po"


@pytest.mark.parametrize("reason", [*Bad, *Failure])
def test_every_reason_is_said_in_french(reason: str):
    entry = re.search(rf'^msgid "{re.escape(reason)}"\nmsgstr "(.+)"$', CATALOGUE.read_text(), re.MULTILINE)

    assert entry is not None
    assert entry[1] != reason


@pytest.mark.parametrize("reason", Failure)
def test_every_reason_fits_into_its_column(reason: str):
    assert len(reason) <= REASON_LENGTH_MAX
