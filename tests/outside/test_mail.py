"""A mail server that does not answer is left alone, and mails wait for it; one that says no is there."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.core.mail import EmailMessage

from eventbus import ServiceAway
from outside.mail import EmailBackend
from outside.service import FAILURES_MAX, states


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken, at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def mail(port: int) -> EmailBackend:
    return EmailBackend(host="127.0.0.1", port=port, timeout=5)


def test_a_mail_server_that_is_away_is_soon_left_alone(nobody: int) -> None:
    for _ in range(FAILURES_MAX):
        with pytest.raises(ConnectionRefusedError):
            mail(nobody).open()

    with pytest.raises(ServiceAway):
        mail(nobody).send_messages([EmailMessage(to=["ada@example.com"])])
    assert states()["mail server"] == "open"


def test_a_mail_server_that_says_no_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    caller, _address = door.accept()
                    caller.sendall(b"554 5.7.1 not you\r\n")
                    caller.close()

        threading.Thread(target=answer, daemon=True).start()
        for _ in range(FAILURES_MAX + 2):
            with pytest.raises(OSError, match="554"):
                mail(door.getsockname()[1]).open()

    assert states()["mail server"] == "closed"
