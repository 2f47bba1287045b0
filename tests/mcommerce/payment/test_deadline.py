"""One press of Pay has one deadline, whatever it asks; who finds others waiting in vain is told so."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connections

from mcommerce.payment.models import Attempt, Payment
from mcommerce.payment.providers import provider_named
from mcommerce.payment.providers.base import ProviderBusy
from mcommerce.payment.providers.sandbox import VISITOR_SECONDS
from outside.circuit_breaker import SILENCE_SECONDS, VISITORS_MAX, service
from tests.mcommerce.payment.conftest import Company, Shopper, settle
from tests.mcommerce.payment.lossy_line import Line
from tests.mcommerce.payment.test_bad_answers import SESSION
from tests.outside.raw_server import Mumbler, mumbling, saying, silence
from tests.waiting import until


def test_what_one_question_took_is_not_left_for_the_next(shopper: Shopper, bus_clock: Any, settings: Any) -> None:
    """The first answer, that the old page ended, takes all the time there is: no second question hangs after it."""
    shopper.page()
    Payment.objects.update(status=Payment.Status.UNKNOWN)
    attempt = Attempt.objects.get()
    ended = {"id": attempt.provider_ref, "status": "expired", "revision": attempt.revision + 1, "url": ""}

    def answer_late(mumbler: Mumbler, caller: socket.socket) -> None:
        if mumbler.callers > 1:
            silence(mumbler, caller)
        bus_clock.advance(seconds=VISITOR_SECONDS)
        saying(json.dumps(SESSION | ended).encode())(mumbler, caller)

    url = settings.SANDBOX_PROVIDER_URL
    with mumbling(answer_late) as mumbler:
        settings.SANDBOX_PROVIDER_URL = mumbler.url
        answer = shopper.press()
    settings.SANDBOX_PROVIDER_URL = url

    assert mumbler.callers == 1
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert "You were not charged" in answer.text
    shopper.pay()
    shopper.come_back()
    assert Payment.objects.get().status == "succeeded"


def test_a_page_just_opened_is_not_asked_about_at_once(shopper: Shopper, line: Line) -> None:
    shopper.page()

    settle()

    assert [request.path for request in line.requests] == ["/v1/sessions"]


def test_work_in_the_background_finds_the_company_free_while_visitors_wait_for_it(company: Company) -> None:
    with ExitStack() as waiting:
        for _ in range(VISITORS_MAX):
            waiting.enter_context(service("payment provider", at=company.url).asked(by_visitor=True))

        with pytest.raises(ProviderBusy):
            provider_named("sandbox", by_visitor=True).charges()
        assert provider_named("sandbox").charges() == ([], False)


@pytest.fixture
def others_press_and_wait(shopper: Shopper, settings: Any) -> Iterator[Callable[[], None]]:
    """Presses of Pay by other visitors, at a company that took the call and says nothing."""
    waiting: list[threading.Thread] = []

    def press() -> None:
        try:
            Shopper(shopper.company, shopper.order_id).press()
        finally:
            connections.close_all()

    with mumbling(silence) as mumbler:
        settings.SANDBOX_PROVIDER_URL = mumbler.url

        def all_press() -> None:
            for _ in range(VISITORS_MAX):
                waiting.append(threading.Thread(target=press))
                waiting[-1].start()
            until(lambda: mumbler.callers == VISITORS_MAX, "everybody's call")

        yield all_press
    for thread in waiting:  # the company hangs up
        thread.join()


@pytest.mark.parametrize(
    ("waited", "said"), [(0.0, "The payment provider is busy"), (SILENCE_SECONDS + 0.1, "does not answer")]
)
def test_who_finds_others_waiting_is_told_what_they_wait_for(
    waited: float,
    said: str,
    shopper: Shopper,
    others_press_and_wait: Callable[[], None],
    bus_clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcommerce.payment.providers.sandbox.VISITOR_SECONDS", 3_600)  # nobody gives up
    others_press_and_wait()

    bus_clock.advance(seconds=waited)

    answer = shopper.press()
    assert answer.status_code == 503
    assert said in answer.text
    assert "You were not charged" in answer.text
