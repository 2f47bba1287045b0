"""The bus of the pages' examples."""

from tests.eventbus.conftest import house  # noqa: F401
