"""An SMTP mail backend with a circuit breaker. In everything else it is Django's own."""

from collections.abc import Sequence
from contextlib import suppress
from smtplib import (
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend as Smtp

from outside.circuit_breaker import service

ANSWERS = (SMTPResponseException, SMTPRecipientsRefused, SMTPNotSupportedError)  # a server that refuses is up


class EmailBackend(Smtp):
    """The backend that settings name for SMTP. `by_visitor`: a page waits for it, and only a few may wait at once."""

    def __init__(self, *given: Any, by_visitor: bool = False, **named: Any) -> None:
        super().__init__(*given, **named)
        self._by_visitor = by_visitor

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send messages as Django's backend does. Connecting, sending and closing together are one call of the service.

        Raises ServiceUnavailable while the breaker is open or too many visitors wait: no mail was sent. Raises
        SMTPServerDisconnected if the connection was lost during a mail, which the server may have received.
        """
        server = service("mail server", at=f"{self.host}:{self.port}", excluded=(_is_no_failure,))
        with server.asked(by_visitor=self._by_visitor):
            sent: int = super().send_messages(email_messages)
            return sent

    def open(self) -> Any:
        """Open the connection as Django's backend does.

        Raises ConnectionAbortedError if the server hangs up first: it cannot have a mail then.
        """
        try:
            return super().open()
        except SMTPServerDisconnected as gone:
            raise ConnectionAbortedError("The mail server hung up before it was told of a mail") from gone

    def close(self) -> None:
        """Close the connection, and ignore errors while closing: they do not change which mails were sent."""
        with suppress(SMTPException):
            super().close()


def _is_no_failure(error: Exception) -> bool:
    """Return True if the server answered, or if the mail itself is wrong, for example its address."""
    return isinstance(error, ANSWERS) or not isinstance(error, OSError)
