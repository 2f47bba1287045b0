"""The sweep tells each mistake that is made in the shop or the bus, in its own words."""

import pytest

from tests.sweep.test_sweep import sweep

pytestmark = pytest.mark.mistakes


def test_each_mistake_is_told() -> None:
    done = sweep("--mistakes")

    assert done.returncode == 0, done.stdout + done.stderr
