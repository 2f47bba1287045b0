"""Fixtures: a Kafka shared by the whole run, or one of a test's own, which may be stopped, killed or emptied.

At home a machine that cannot start one skips the tests and says why; under CI (the variable) they fail.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from tests.kafka import Cluster, KafkaMissing, stoppable_brokers
from tests.kafka.cluster import known_brokers
from tests.kafka.jars import fetch_jars, find_java
from tests.shared_servers import shared

NEEDS = {"kafka", "fresh_kafka", "kafka_installed"}  # the fixtures below
GIVEN = ("TESTS_KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS")
RUNNING = pytest.StashKey[pytest.Item]()  # the test that is run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark who asks for a broker, so that `pytest -m kafka` runs those, and `-m "not kafka"` the others."""
    for item in items:
        if NEEDS & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.session.stash[RUNNING] = item


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
    """A test that names none of these but asks for one later is run where no broker is, and would start another."""
    if fixturedef.argname in NEEDS and request.session.stash[RUNNING].get_closest_marker("kafka") is None:
        pytest.fail("It asks for a broker while it runs, so mark it: pytest.mark.kafka")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap servers of a Kafka: the one that the environment names, or one of the run's own.

    Tests share it, so each names topics and groups of its own.
    """
    given = next((os.environ[name] for name in GIVEN if os.environ.get(name)), None)
    if given:
        if not known_brokers(given.partition(",")[0]):
            pytest.fail(f"No broker answers at {given}, which KAFKA_BOOTSTRAP_SERVERS names")
        yield given
    else:
        try:
            with shared("kafka", tmp_path_factory, _broker) as servers:
                yield servers
        except KafkaMissing as missing:
            do_without(missing)


@contextmanager
def _broker() -> Iterator[str]:
    with stoppable_brokers() as cluster:
        yield cluster.bootstrap_servers


@pytest.fixture
def fresh_kafka() -> Iterator[Cluster]:
    """A broker of this test's own, whatever the environment names."""
    with brokers_or_skip() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kafka_installed() -> None:
    """For tests that start brokers in processes of their own."""
    try:
        find_java()
        fetch_jars()
    except KafkaMissing as missing:
        do_without(missing)


@contextmanager
def brokers_or_skip(brokers: int = 1) -> Iterator[Cluster]:
    """A running cluster for a `with` in a test or a fixture, which ends here where there can be none."""
    try:
        with stoppable_brokers(brokers) as cluster:
            yield cluster
    except KafkaMissing as missing:
        do_without(missing)


def do_without(missing: KafkaMissing) -> NoReturn:
    """Ends the test that cannot have what it needs."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
