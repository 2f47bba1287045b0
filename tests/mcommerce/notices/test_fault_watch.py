"""Operators get a mail and a webhook when a fault begins and when it ends, also while parts of the site are gone."""

import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import OperationalError
from django.urls import reverse

from eventbus import clock
from eventbus.models import ConsumerGroup
from mcommerce.notices import fault_watch
from mcommerce.notices.fault_watch import FaultWatch
from mcommerce.notices.models import ToldFault
from mcommerce.overview.faults import Fault
from outside import circuit_breaker
from tests.mcommerce.notices.conftest import DISK, SECRET, checks
from tests.webhook_receiver import Receiver

NOBODY = "http://127.0.0.1:9/"  # the discard port: nothing listens there

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_fault_is_told_once_by_both_ways_and_so_is_its_end(receiver: Receiver, present: list[Fault]) -> None:
    watch = FaultWatch()
    present.append(DISK)
    checks(watch, 5)
    present.clear()
    checks(watch, 5)

    assert receiver.told() == [("fault.began", "disk:"), ("fault.ended", "disk:")]
    assert [one.subject for one in mail.outbox] == ["Fault: A disk is full", "Over: A disk is full"]
    assert mail.outbox[0].to == ["ada@example.com"] and "No space left" in mail.outbox[0].body
    assert "http://127.0.0.1:8000/eventbus/" in mail.outbox[0].body
    assert "It is over. It lasted from" in mail.outbox[1].body


def test_many_faults_at_once_are_one_mail_and_a_post_each(receiver: Receiver, present: list[Fault]) -> None:
    present += [DISK, Fault("Group mail is behind", "12 events wait", id="lag:mail")]
    checks(FaultWatch(), 3)

    assert [one.subject for one in mail.outbox] == ["2 faults began or ended"]
    assert "A disk is full" in mail.outbox[0].body and "12 events wait" in mail.outbox[0].body
    assert receiver.told() == [("fault.began", "disk:"), ("fault.began", "lag:mail")]


def test_a_receiver_can_check_who_posted_a_notice(receiver: Receiver, present: list[Fault]) -> None:
    present.append(DISK)
    checks(FaultWatch(), 2)

    [(headers, body)] = receiver.posts
    at, given = (part.partition("=")[2] for part in headers["Mcommerce-Signature"].split(","))
    assert hmac.compare_digest(given, hmac.new(SECRET.encode(), f"{at}.".encode() + body, "sha256").hexdigest())
    assert headers["Mcommerce-Notice"] == json.loads(body)["id"]
    assert SECRET.encode() not in body


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_notice_that_is_refused_is_posted_again_and_mailed_once(
    receiver: Receiver, present: list[Fault], status: int
) -> None:
    receiver.status = status
    watch = FaultWatch()
    present.append(DISK)
    checks(watch, 3)
    receiver.status = 204
    checks(watch, 3)

    ids = {headers["Mcommerce-Notice"] for headers, _body in receiver.posts}
    assert len(receiver.posts) == 3 and len(ids) == 1  # two were refused
    assert len(mail.outbox) == 1


def test_a_notice_that_is_never_accepted_holds_up_no_other(receiver: Receiver, present: list[Fault]) -> None:
    receiver.refused = b'"kind:0"'
    watch = FaultWatch()
    present.append(Fault("Fault 0", "is there", id="kind:0"))
    checks(watch, 2 + circuit_breaker.FAILURES_MAX)
    assert set(receiver.told()) == {("fault.began", "kind:0")}

    present.append(Fault("Fault 1", "is there", id="kind:1"))
    checks(watch, 2)
    circuit_breaker.forget()  # as after its pause: one call is let through
    checks(watch, 1)

    assert receiver.told()[-2:] == [("fault.began", "kind:1"), ("fault.began", "kind:0")]


def test_a_webhook_that_does_not_answer_holds_up_no_mail_and_no_log_has_its_address(
    receiver: Receiver, present: list[Fault], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EVENTBUS_NOTIFY_WEBHOOK = NOBODY + "?key=hidden"
    present.append(DISK)

    checks(FaultWatch(), 2)

    assert len(mail.outbox) == 1
    assert "was not sent by webhook" in caplog.text and "hidden" not in caplog.text


def test_one_of_many_processes_tells_and_another_takes_over(
    receiver: Receiver, present: list[Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = FaultWatch(), FaultWatch()
    present.append(DISK)
    for _time in range(4):
        one.look()
        other.look()
    assert len(mail.outbox) == 1

    one._leave()
    present.clear()
    checks(other, 4)

    assert receiver.told() == [("fault.began", "disk:"), ("fault.ended", "disk:")]


def test_a_database_that_is_gone_is_told_at_once_and_stored_later(
    receiver: Receiver, present: list[Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = FaultWatch()
    watch.look()
    present.append(Fault("The database has a fault", "no answer", id="database:"))
    with monkeypatch.context() as broken:

        def gone(*given: object, **named: object) -> None:
            raise OperationalError("no answer")

        broken.setattr(watch._lease, "beat", gone)
        broken.setattr(ToldFault, "save", gone)
        checks(watch, 3)
        assert receiver.told() == [("fault.began", "database:")]
        assert not ToldFault.objects.exists()
    present.clear()
    checks(watch, 4)

    assert receiver.told() == [("fault.began", "database:"), ("fault.ended", "database:")]
    assert not ToldFault.objects.get().active


def test_a_process_that_dies_before_it_told_leaves_the_notice_to_the_next(
    receiver: Receiver, present: list[Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = FaultWatch()
    present.append(DISK)
    with monkeypatch.context() as dies:

        def death(*given: object) -> None:
            raise KeyboardInterrupt

        dies.setattr(fault_watch.delivery, "deliver", death)
        with pytest.raises(KeyboardInterrupt):
            checks(one, 2)
    one._leave()

    checks(FaultWatch(), 1)

    assert receiver.told() == [("fault.began", "disk:")]


def test_notices_are_in_the_language_of_the_settings(receiver: Receiver, present: list[Fault], settings: Any) -> None:
    settings.EVENTBUS_NOTIFY_LANGUAGE = "fr"
    watch = FaultWatch()
    present.append(DISK)
    checks(watch, 2)
    present.clear()
    checks(watch, 3)

    assert [one.subject for one in mail.outbox] == ["Panne : A disk is full", "Fin : A disk is full"]
    assert "Depuis le" in mail.outbox[0].body and "C’est terminé" in mail.outbox[1].body


def test_faults_that_are_real_reach_operators(receiver: Receiver) -> None:
    """The overview's own faults: nobody relays, and an event has waited for a minute."""

    ConsumerGroup.objects.filter(name="mail").update(
        breaker_opened_at=clock.now() - timedelta(minutes=1), breaker_reason="7 of 10 failed"
    )

    checks(FaultWatch(), 2)

    assert ("fault.began", "breaker:mail") in receiver.told()
    told = ToldFault.objects.get(id="breaker:mail")
    assert told.link == reverse("bus-breakers") and told.told
