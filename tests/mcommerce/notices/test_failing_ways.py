"""A receiver refuses the notices: every server's overview says so, until it accepts one."""

from typing import Any

import pytest
from django.core import mail

from eventbus import clock
from mcommerce.notices import delivery, failing_ways
from mcommerce.notices.fault_watch import LOOK_SECONDS, FaultWatch
from mcommerce.notices.mail_pause import PAUSE_SECONDS
from mcommerce.overview.faults import Fault
from tests.mcommerce.notices.conftest import DISK, checks
from tests.webhook_receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_receiver_that_refuses_is_a_fault_until_it_accepts(receiver: Receiver, present: list[Fault]) -> None:
    receiver.status = 401
    watch = FaultWatch()
    present.append(DISK)
    checks(watch, 4)

    [found] = failing_ways.problems()
    assert found.heading == "Notices cannot be sent by webhook"
    assert "in a row: 3" in found and "refused with status 401" in found
    assert found.since is not None and "hidden" not in found

    receiver.status = 204
    watch.look()
    assert failing_ways.problems() == []


def test_a_mail_server_that_is_down_is_called_less_and_less_and_the_mail_leaves_once_soon_after(
    receiver: Receiver, present: list[Fault], settings: Any, bus_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []

    def refused(*_of_them: Any) -> None:
        tries.append(clock.now())
        raise ConnectionRefusedError

    watch = FaultWatch()
    present.append(DISK)
    with monkeypatch.context() as down:
        down.setattr(delivery, "by_mail", refused)
        for _check in range(120):  # ten minutes
            bus_clock.advance(seconds=LOOK_SECONDS)
            watch.look()
        assert 600 / (PAUSE_SECONDS[1] + LOOK_SECONDS) <= len(tries) <= 50, "not 119, and never given up"
        [found] = failing_ways.problems()
        assert found.heading == "Notices cannot be sent by mail"

    for _check in range(8):  # 40 seconds
        bus_clock.advance(seconds=LOOK_SECONDS)
        watch.look()

    assert [one.subject for one in mail.outbox] == ["Fault: A disk is full"]
    assert failing_ways.problems() == []
