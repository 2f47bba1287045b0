"""The app of points, installed for the tests that ask for it."""

import sys
from collections.abc import Callable, Iterator

import pytest
from django.test import modify_settings

from mcommerce.web.slots import drawing, registry
from mcommerce.web.slots.live import open_pages
from tests.mcommerce.orders.conftest import (  # noqa: F401  (an order, and who may see it)
    listener,
    no_installed_fragments,
    no_watch_left,
    noon,
    placed,
    shopper,
    waiting,
)

APP = "tests.mcommerce.slots.points"


@pytest.fixture
def points_app(no_installed_fragments: None) -> Iterator[None]:  # noqa: F811  (the fixture that is imported above)
    """Install it as a site would. `no_installed_fragments` forgets its fragments after the test."""
    with modify_settings(INSTALLED_APPS={"append": APP}):
        yield
    sys.modules.pop(f"{APP}.slots", None)  # so that the next test registers them again


@pytest.fixture
def registered() -> Iterator[Callable[[registry.Fragment], None]]:
    """Registers a fragment for the time of a test."""
    added: list[registry.Fragment] = []

    def add(one: registry.Fragment) -> None:
        registry.add(one)
        added.append(one)

    yield add
    for one in added:
        registry.remove(one)


@pytest.fixture(autouse=True)
def nobody_was_warned() -> None:
    """Each fragment may be warned of: the minute since another test's warning is over."""
    drawing._warned.clear()


@pytest.fixture
def no_fragments_watched() -> Iterator[None]:
    yield
    open_pages.close()
