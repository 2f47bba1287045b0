from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import translation

from eventbus.backends.kafka.backend import KafkaBackend
from tests.eventbus.bus_app import House, Noted, open_house
from tests.eventbus.bus_app_on_kafka import in_use
from tests.eventbus.restore_steps import BEFORE, GHOSTS, Backup, Heard, database_kept, hearing
from tests.kafka import Cluster

# It tells what it saw; test_*.py do so by themselves.
pytest.register_assert_rewrite("tests.eventbus.busy_site")


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    """A small house on the bus, with a table of its own."""
    with open_house() as house:
        yield house


@pytest.fixture
def fresh_log(fresh_kafka: Cluster, house: House) -> Iterator[KafkaBackend]:
    """What the process uses, on a broker that may be lost."""
    with in_use(KafkaBackend(servers=fresh_kafka.bootstrap_servers)) as log:
        log.provision([Noted.topic])
        yield log


@pytest.fixture
def replaced(kafka: str, house: House) -> Iterator[KafkaBackend]:
    """On the broker that tests share: `replace` makes the topic anew, with nothing in it."""
    with in_use(KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.")) as log:
        log.provision([Noted.topic])
        yield log


@pytest.fixture
def heard(replaced: KafkaBackend, house: House) -> Heard:
    return hearing(house)


@pytest.fixture
def backup(heard: Heard, house: House, tmp_path: Path) -> Iterator[Backup]:
    """Of the database: made after BEFORE was handled; GHOSTS were told and handled since."""
    house.say(*BEFORE)
    house.settle()
    with database_kept(tmp_path) as backup:
        house.say(*GHOSTS)
        house.settle()
        assert sorted(heard) == sorted(BEFORE + GHOSTS)
        yield backup


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """A page asked for in French leaves its language to the thread: no test begins or ends with another's."""
    with translation.override("en"):
        yield
