"""The in-memory backend keeps the whole contract, on SQLite and on PostgreSQL."""

import pytest

from eventbus import backends
from eventbus.backends.memory import MemoryBackend
from tests.eventbus.backend_contract import BackendContract

pytestmark = pytest.mark.postgresql


class TestMemoryBackend(BackendContract):
    def test_it_is_the_one_that_runs(self) -> None:
        assert isinstance(backends.current(), MemoryBackend)
