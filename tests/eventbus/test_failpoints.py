"""Points at which the world ends on purpose: what one does when armed, and that it does it once."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import transaction

from eventbus import failpoints
from eventbus.errors import is_infrastructure_error
from eventbus.failpoints import BrokeHere, FailedHere, armed, hit
from eventbus.models import ConsumerGroup


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    yield
    failpoints.disarm()


def test_it_fires_at_its_nth_pass_and_once() -> None:
    with armed("append=error@2") as plan:
        hit("append")
        with pytest.raises(FailedHere):
            hit("append")
        hit("append")

    assert plan.passes["append"] == 3
    hit("append")  # off again


def test_kill_is_as_a_power_cut(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        with suppress(BaseException), armed("append=kill", folder=tmp_path):
            hit("append")
        os._exit(0)

    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (tmp_path / "append").exists()


def test_a_broken_connection_is_nobodys_fault_and_an_error_is() -> None:
    with armed("append=break", "fetched=error"):
        with pytest.raises(BrokeHere) as broke:
            hit("append")
        with pytest.raises(FailedHere) as failed:
            hit("fetched")

    assert is_infrastructure_error(broke.value) and not is_infrastructure_error(failed.value)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("point", "kept"), [("request.commit", False), ("request.committed", True)])
def test_before_the_commit_nothing_happened_and_after_it_all_did(point: str, kept: bool) -> None:
    with armed(f"{point}=error"), pytest.raises(FailedHere), failpoints.atomic("request"):
        ConsumerGroup.objects.create(name="told", created_at="2026-01-01T00:00Z")

    assert ConsumerGroup.objects.filter(name="told").exists() is kept
    assert not transaction.get_connection().in_atomic_block
