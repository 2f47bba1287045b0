"""A database is restored, and the keys that sign records are others by then: what it forgot looks like a forgery."""

import logging
from typing import Any

import pytest

from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import Divergence
from tests.eventbus.bus_app import House
from tests.eventbus.restore_steps import GHOSTS, Backup, Heard, repair, restore, start
from tests.eventbus.test_commands import a_living_dispatcher, run


def test_an_operator_is_told_and_once_the_keys_are_back_all_is_as_ever(
    replaced: KafkaBackend,
    house: House,
    heard: Heard,
    backup: Backup,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    used = {record.attributes()["sequence"] for record in house.log()}
    key, settings.SECRET_KEY = settings.SECRET_KEY, "the key that the backup brought back"
    restore(backup, house, heard)

    start()
    house.settle()

    assert heard == []
    assert not Divergence.objects.exists(), "whoever may write there could make it so"
    [told] = [
        one.getMessage() for one in caplog.records if one.levelno == logging.ERROR and "no key" in one.getMessage()
    ]
    assert f"{len(GHOSTS)} records" in told
    code, _, complaint = run("eventbus", "restored")
    assert code == 1
    assert told in complaint
    assert "EVENTBUS_SIGNING_KEYS" in told
    with a_living_dispatcher():
        assert "manage.py eventbus restored" in run("eventbus", "status")[2]

    settings.SECRET_KEY_FALLBACKS = [key]
    house.restart()
    start()
    assert Divergence.objects.exists()
    repair(house)
    house.say(("vase", 10))
    house.settle()

    assert heard == [("vase", 10)]
    assert min({record.attributes()["sequence"] for record in house.log()} - used) > max(used)
