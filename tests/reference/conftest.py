"""The bus of the pages' examples, and a backup of its database."""

from tests.eventbus.conftest import backup, heard, house, replaced  # noqa: F401
