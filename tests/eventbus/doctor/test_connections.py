"""The doctor leaves no connection open at a database that has hardly any left."""

from typing import Any

import pytest
from django.db import OperationalError

from eventbus.doctor import database_facts


class Opened:
    """The first connection."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_a_refused_second_connection_closes_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    first, asked = Opened(), list[Any]()

    def impatient(patient: Any) -> Opened:
        asked.append(patient)
        if len(asked) == 2:
            raise OperationalError("FATAL: sorry, too many clients already")
        return first

    monkeypatch.setattr(database_facts, "_impatient", impatient)

    with pytest.raises(OperationalError):
        database_facts.postgresql([])

    assert first.is_closed
