"""Mails about an order: who gets them, in which language, and that their link opens the order."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend as EmailBackend
from django.test import Client
from django.utils import translation

from eventbus import Permanent, ServiceUnavailable, registry
from mcommerce.orders import mail
from mcommerce.orders.models import Order
from mcommerce.orders.services import lifecycle
from outside.circuit_breaker import FAILURES_MAX
from tests.mcommerce.orders.conftest import BUYER, LATER, fresh, let_time_run_out, pay, put_up
from tests.outside.smtp import BYE, mail_server


@pytest.fixture
def paid_in_french(placed: Callable[..., Order]) -> Order:
    order = placed(put_up(price=123_456), buyer=replace(BUYER, language="fr"))
    lifecycle.await_payment(order_id=order.id, now=LATER)
    pay(fresh(order))
    return fresh(order)


def test_the_confirmation_speaks_the_orders_language(paid_in_french: Order, mailoutbox: list) -> None:
    with translation.override("en"):
        mail.send("paid", paid_in_french.id)

    [sent] = mailoutbox
    assert sent.to == ["ada@example.com"]
    assert sent.subject == f"Commande {paid_in_french.number} payée, merci"
    assert "1 × Vase bavard" in sent.body
    assert "1\N{NARROW NO-BREAK SPACE}234,56\N{NO-BREAK SPACE}€" in sent.body


def test_its_link_opens_the_order_in_any_browser(paid: Order, mailoutbox: list) -> None:
    mail.send("paid", paid.id)

    [link] = re.findall(r"\S*/orders/\S+", mailoutbox[0].body)
    page = Client().get(link, follow=True)
    assert paid.number in page.content.decode()


@pytest.mark.parametrize("name", ["paid", "cancelled", "refunded", "shipped"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_mail_has_one_line_of_subject_the_products_as_they_are_called_and_nothing_typed_at_the_checkout(
    paid: Order, mailoutbox: list, name: str, language: str
) -> None:
    typed = dict.fromkeys(("name", "street", "extra", "postal_code", "city"), "Win: evil.example")
    vase = put_up(title={"fr": "Vase & <anse>", "en": "Vase & <anse>"})
    paid.lines.create(
        product_id=vase.product_id, title=vase.title, quantity=1, unit_price=0, tax_rate=0, total=0, tax=0
    )
    Order.objects.filter(id=paid.id).update(language=language, carrier="La Poste", **typed)

    mail.send(name, paid.id, amount=paid.total, currency=paid.currency)

    [sent] = mailoutbox
    assert paid.number in sent.subject
    assert "Vase & <anse>" in sent.body or name == "refunded"
    assert "{" not in sent.body
    assert "\n\n\n" not in sent.body
    assert "evil" not in sent.subject + sent.body


def test_a_cancellation_of_what_was_never_paid_says_that_nothing_was_charged(waiting: Order, mailoutbox: list) -> None:
    let_time_run_out(waiting)

    mail.send("cancelled", waiting.id)

    body = mailoutbox[0].body
    assert "not paid in time" in body
    assert "Nothing was charged." in body
    assert "http" not in body, "no link about what nobody paid"


def test_a_stranger_cannot_have_us_write_to_somebody_again_and_again(
    placed: Callable[..., Order], mailoutbox: list, bus_clock: Any
) -> None:
    addresses = ["ada@example.com", "ADA@example.com", "ada+1@example.com", "bob@example.com"]
    orders = [placed(buyer=replace(BUYER, email=address)) for address in addresses]
    for order in orders:
        lifecycle.cancel_by_customer(order_id=order.id, now=LATER)
        sent = mail.send("cancelled", order.id)
        mail.send("cancelled", order.id)  # a mail server was away
        assert sent == ("cancelled" if order in (orders[0], orders[3]) else "")

    assert [message.to for message in mailoutbox] == [["ada@example.com"]] * 2 + [["bob@example.com"]] * 2


def test_who_paid_is_written_to_whatever_others_did_with_the_address(
    paid: Order, placed: Callable[..., Order], mailoutbox: list
) -> None:
    robbed = placed()
    lifecycle.cancel_by_customer(order_id=robbed.id, now=LATER)
    mail.send("cancelled", robbed.id)

    for name in ("paid", "shipped", "cancelled"):
        assert mail.send(name, paid.id) == name


class MailServer(EmailBackend):
    """It answers a mail with an error."""

    answer: Exception

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise self.answer


def refused(code: int, said: bytes) -> SMTPRecipientsRefused:
    return SMTPRecipientsRefused({"ada@example.com": (code, said)})


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (refused(550, b"5.1.1 no such user here"), Permanent),
        (refused(550, b"5.7.1 relaying denied"), SMTPRecipientsRefused),
        (refused(450, b"4.2.0 come back in five minutes"), SMTPRecipientsRefused),
        (SMTPDataError(554, b"this is spam"), Permanent),
        (SMTPDataError(452, b"the disk is full"), SMTPDataError),
        (SMTPServerDisconnected("Connection unexpectedly closed: timed out"), Permanent),
    ],
)
def test_a_mail_is_not_tried_again_when_it_is_refused_for_good_or_may_have_been_taken(
    paid: Order, settings: Any, monkeypatch: pytest.MonkeyPatch, answer: Exception, raised: type[Exception]
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.MailServer"
    monkeypatch.setattr(MailServer, "answer", answer, raising=False)

    with pytest.raises(Exception) as told:
        mail.send("paid", paid.id)

    assert type(told.value) is raised


@pytest.mark.parametrize("greeting", [BYE, None, b"421 come back later"])
def test_a_mail_server_that_is_away_is_tried_again(paid: Order, settings: Any, greeting: bytes | None) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "outside.mail.EmailBackend", "127.0.0.1", 0.2
    with mail_server(hello=greeting) as server:
        settings.EMAIL_PORT = server.port
        with pytest.raises(OSError):
            mail.send("paid", paid.id)


def test_a_mail_server_that_is_lost_in_the_middle_of_each_mail_is_soon_left_alone(paid: Order, settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "outside.mail.EmailBackend", "127.0.0.1", 60
    with mail_server(mail=BYE) as server:
        settings.EMAIL_PORT = server.port
        for _mail in range(FAILURES_MAX):
            with pytest.raises(Permanent):
                mail.send("paid", paid.id)
        with pytest.raises(ServiceUnavailable):
            mail.send("paid", paid.id)

    assert server.mails == FAILURES_MAX


def test_mails_wait_for_more_than_a_day_for_a_mail_server_that_is_away() -> None:
    for handler in registry.groups["mail"].all():
        first, longest = handler.backoff
        waits = [min(longest, first * 2**attempt) / 2 for attempt in range(handler.attempts - 1)]
        assert timedelta(seconds=sum(waits)) > timedelta(days=1), f"in the mean, {handler.event_type.__name__}"


@pytest.mark.parametrize("name", ["paid", "cancelled", "refunded", "shipped"])
def test_nothing_that_was_typed_at_the_checkout_is_mailed(
    placed: Callable[..., Order], mailoutbox: list, name: str
) -> None:
    typed = dict.fromkeys(("name", "street", "extra", "postal_code", "city"), "Win: evil.example")
    order = placed(buyer=replace(BUYER, **typed))

    mail.send(name, order.id, amount=order.total, currency=order.currency)

    [sent] = mailoutbox
    assert "evil" not in sent.subject + sent.body
