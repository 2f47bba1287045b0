"""The desk speaks French to who reads French: no column has its field's English name alone."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.db.models import Model
from django.utils import translation

SAME = {"id", "message", "note", "partition", "position", "source", "total", "version"}  # in both languages


def label(model: type[Model], desk: Any, column: str, language: str) -> str:
    with translation.override(language):
        return str(label_for_field(column, model, desk)).lower()


def test_every_column_of_a_list_is_called_in_french() -> None:
    for model, desk in admin.site._registry.items():
        columns = [column for column in desk.list_display if column != "__str__"]
        french, english = ({label(model, desk, column, one) for column in columns} for one in ("fr", "en"))

        assert french & english <= SAME, model._meta.label
