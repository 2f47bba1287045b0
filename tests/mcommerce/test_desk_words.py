"""The desk speaks French to who reads French: no column has its field's English name alone."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.db.models import Model
from django.utils import translation

SAME = {"id", "message", "note", "partition", "position", "source", "total", "version"}  # in both languages


def label(model: type[Model], desk: Any, column: str, language: str) -> str:
    with translation.override(language):
        return str(label_for_field(column, model, desk)).lower()


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_every_column_of_a_list_is_called_in_french(model: type[Model]) -> None:
    desk: Any = admin.site._registry[model]
    columns = [column for column in desk.list_display if column != "__str__"]

    same = {label(model, desk, column, "fr") for column in columns} & {
        label(model, desk, column, "en") for column in columns
    }

    assert same <= SAME
