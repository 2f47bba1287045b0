"""Mail by SMTP that leaves a server alone which does not answer. As Django's own in all else."""

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

from outside.service import service

ANSWERS = (SMTPResponseException, SMTPRecipientsRefused, SMTPNotSupportedError)  # a server that says no is there


class EmailBackend(Smtp):
    """Settings name it where mails go by SMTP. `by_visitor`: a page waits for it, and only so many wait at once."""

    def __init__(self, *given: Any, by_visitor: bool = False, **named: Any) -> None:
        super().__init__(*given, **named)
        self._by_visitor = by_visitor

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """See Django's. From the greeting to the farewell it is one question to the server.

        Raises ServiceUnavailable while the server rests or is crowded: no mail has left. SMTPServerDisconnected means
        that the connection broke in the middle of a mail, which the server may have.
        """
        server = service("mail server", at=f"{self.host}:{self.port}", excluded=(_is_no_failure,))
        with server.asked(by_visitor=self._by_visitor):
            sent: int = super().send_messages(email_messages)
            return sent

    def open(self) -> Any:
        """See Django's. A server that is lost before any mail has another error than one that may have the mail."""
        try:
            return super().open()
        except SMTPServerDisconnected as gone:
            raise ConnectionAbortedError("The mail server hung up before it was told of a mail") from gone

    def close(self) -> None:
        """Whatever the server says to a farewell, a mail is sent or it is not."""
        with suppress(SMTPException):
            super().close()


def _is_no_failure(error: Exception) -> bool:
    """The server answered, or what is wrong is the mail: an address that cannot be spelled."""
    return isinstance(error, ANSWERS) or not isinstance(error, OSError)
