"""An operator types the blocks of docs/operations.md about topics."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from eventbus.backends import topics
from eventbus.backends.kafka.backend import KafkaBackend
from tests.eventbus.bus_app import House, Noted
from tests.eventbus.bus_app_on_kafka import in_use
from tests.eventbus.test_commands import run
from tests.reference.command_lines import commands_in_shell
from tests.reference.test_operations_page import PAGE

[TOPICS] = re.findall(r"^```sh\n(manage.py eventbus topics .*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def log(kafka: str, house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBackend]:
    """Brokers without any topic of the site, whose only events are the house's."""
    monkeypatch.setattr("eventbus.operations.topic_setup.declared_events", lambda: [Noted])
    monkeypatch.setattr(topics, "declared", {})
    with in_use(KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.")) as log:
        yield log


def test_topics_are_named_that_are_missing_and_then_made(log: KafkaBackend) -> None:
    look, apply = commands_in_shell(TOPICS)

    assert "exit code 1 then" in TOPICS
    assert run(*look)[0] == 1
    code, said, _ = run(*apply)
    assert code == 0
    assert said.index("house: topic is missing") < said.index("done: house: topic"), "it says first what it does"
    assert run(*look)[0] == 0
