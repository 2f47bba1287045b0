"""A mail server that does not answer is left alone, and mails wait for it; one that says no is there."""

import socket
from collections.abc import Iterator

import pytest
from django.core.mail import EmailMessage

from eventbus import ServiceUnavailable
from outside.circuit_breaker import FAILURES_MAX, states
from outside.mail import EmailBackend, send_once
from tests.outside.smtp import mail_server

SOON = 0.2  # seconds until a server that says nothing is given up
PATIENT = 60  # seconds for one that answers at once on an idle machine


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken, at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def send(port: int, to: str = "ada@example.com", *, timeout: float = PATIENT) -> int:
    return EmailBackend(host="127.0.0.1", port=port, timeout=timeout).send_messages([EmailMessage(to=[to])])


def test_a_mail_server_that_is_away_is_soon_left_alone(nobody: int) -> None:
    for _ in range(FAILURES_MAX):
        with pytest.raises(ConnectionRefusedError):
            send(nobody)

    with pytest.raises(ServiceUnavailable):
        send(nobody)
    assert states()["mail server"] == "open"


@pytest.mark.parametrize("silent_at", ["hello", "rcpt", "text"])
def test_a_mail_server_that_falls_silent_is_soon_left_alone_wherever_it_does(silent_at: str) -> None:
    with mail_server(**{silent_at: None}) as server:
        for _ in range(FAILURES_MAX):
            with pytest.raises(OSError):
                send(server.port, timeout=SOON)

        with pytest.raises(ServiceUnavailable):
            send(server.port, timeout=SOON)
    assert states()["mail server"] == "open"
    assert server.mails <= FAILURES_MAX


@pytest.mark.parametrize("says_no_to", ["hello", "rcpt", "text"])
def test_a_mail_server_that_says_no_is_there(says_no_to: str) -> None:
    with mail_server(**{says_no_to: b"554 5.7.1 not you"}) as server:
        for _ in range(FAILURES_MAX + 2):
            with pytest.raises(OSError, match="554"):
                send(server.port)

    assert states()["mail server"] == "closed"


def test_addresses_that_nobody_can_spell_are_no_fault_of_the_mail_server() -> None:
    with mail_server() as server:
        for _ in range(FAILURES_MAX + 2):
            with pytest.raises(ValueError):
                send(server.port, to="ada@@example.com")

        assert send(server.port) == 1


def test_a_mail_without_an_address_is_not_sent(mailoutbox: list[EmailMessage]) -> None:
    send_once("Hello", "Good day.", to="")
    assert mailoutbox == []

    send_once("Hello", "Good day.", to="ada@example.com")
    assert [(one.to, one.subject, one.body) for one in mailoutbox] == [(["ada@example.com"], "Hello", "Good day.")]
